#!/usr/bin/env python3
"""make-model in its three formats: whole for verify, runnable, the same bytes for a seed whatever the threads, tokens spread over the experts at any depth."""
import array
import json
import math
import random
import signal
import statistics
import struct
import subprocess
import time

from _common import MODEL, TETRAD, check, digest, run, scratch, tensors

base = scratch()
VOCAB, LENGTH = 512, 64
numbers = random.Random(0)
ids = base / "ids.json"
ids.write_text(json.dumps([[numbers.randrange(VOCAB) for _ in range(LENGTH)] for _ in range(8)]))
SMALL = ["--layers", 2, "--experts", 16, "--vocab", VOCAB, "--hidden", 192, "--width", 96, "--heads", 4, "--kv-heads", 2, "--head-dim", 32, "--top-k", 3]


def logits(model):
    path = base / "logits.safetensors"
    run("logits", model, "--ids", ids, "--output", path)
    _, shape, data = tensors_of(path)["logits"]
    values = array.array("f", data)
    check(shape == [8, LENGTH, VOCAB], f"logits of shape {shape}")
    check(all(map(math.isfinite, values)), "logits that are not finite")
    return math.sqrt(sum(v * v for v in values) / len(values)), max(map(abs, values))


def tensors_of(path):
    folder = base / "one"
    folder.mkdir(exist_ok=True)
    path.replace(folder / "x.safetensors")
    return tensors(folder)


def formats():
    for name in ("fp8", "bf16", "nvfp4"):
        model = base / name
        result = json.loads(run("make-model", "--format", name, *SMALL, model, "--threads", 1, "--json", "-").stdout)
        stored = tensors(model)
        check(result["tensors"] == len(stored) and result["bytes"] == sum(len(data) for _, _, data in stored.values()), f"{name}: {result}")
        verified = run("verify", model).stdout
        check("no faults" in verified, verified)
        inspected = json.loads(run("inspect", model, "--json", "-").stdout)
        check(inspected["parameters"] == result["parameters"], f"{name}: inspect counts {inspected['parameters']}, make-model {result['parameters']}")
        size, most = logits(model)
        check(1 < size < 3 and most < 20, f"{name}: logits of {size:.2f}, at most {most:.1f}")
        made = digest(model)
        run("make-model", "--format", name, *SMALL, model, "--threads", 3, "--overwrite")
        check(digest(model) == made, f"{name}: other bytes with other threads")
        run("make-model", "--format", name, *SMALL, model, "--seed", 1, "--overwrite")
        check(digest(model)["model.safetensors"] != made["model.safetensors"], f"{name}: the same bytes for another seed")
        run("make-model", "--format", name, *SMALL, base / "shards", "--shard-size", "500KB", "--overwrite")
        check(tensors(base / "shards") == stored and "no faults" in run("verify", base / "shards").stdout, f"{name}: shards hold something else")
        print(f"{name}: {len(stored)} tensors, logits {size:.2f}, at most {most:.1f}")


def nvfp4_layout():
    run("make-model", "--format", "nvfp4", *SMALL, base / "made")
    run("make-model", "--format", "fp8", *SMALL, base / "source")
    run("quantize", base / "source", base / "quantized", "--quiet", "--algorithm", "max")
    made, quantized = tensors(base / "made"), tensors(base / "quantized")
    check({n: t[:2] for n, t in made.items()} == {n: t[:2] for n, t in quantized.items()}, "tensors as quantize writes them")
    for name in ("config.json", "hf_quant_config.json"):
        check(json.loads((base / "made" / name).read_text()) == json.loads((base / "quantized" / name).read_text()), f"{name} as quantize writes it")
    for name, (_, _, data) in made.items():
        if name.endswith(".w1.weight_scale_2"):
            check(data == made[name.replace(".w1.", ".w3.")][2], f"{name}: not up's")


def routing_stays_spread():
    """Calibration counts each expert's tokens; 40 layers deep tokens must not have become alike."""
    widths = ["--experts", 32, "--vocab", VOCAB, "--hidden", 128, "--width", 32, "--heads", 4, "--kv-heads", 2, "--head-dim", 32, "--top-k", 4]
    run("make-model", "--layers", 40, *widths, base / "deep")
    report = base / "deep.json"
    run("quantize", base / "deep", base / "deep-q", "--quiet", "--algorithm", "max", "--calibration-ids", ids, "--json", report)
    result = json.loads(report.read_text())
    check(result["calibration"]["nonfinite_rows"] == 0, "rows that are not finite")
    for layer in result["layers"]:
        tokens = [expert["tokens"] for expert in layer["experts"]]
        mean = statistics.mean(tokens)
        check(max(tokens) < 4 * mean, f"layer {layer['layer']}: an expert with {max(tokens)} tokens, {mean:.0f} on average")
        check(sum(t == 0 for t in tokens) <= 1, f"layer {layer['layer']}: tokens {tokens}")


def tokenizer_goes_along():
    model = base / "text"
    small = [a for a in SMALL if a not in ("--vocab", VOCAB)]
    run("make-model", "--like", "tiny-minimax-m2", "--format", "nvfp4", *small, "--tokenizer", MODEL, model)
    names = {p.name for p in model.iterdir()}
    check(names == {"config.json", "hf_quant_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"}, names)
    check(json.loads((model / "config.json").read_text())["eos_token_id"] == json.loads((MODEL / "config.json").read_text())["eos_token_id"], "the tokenizer's end of a text")
    check(run("generate", model, "--prompt", "Hello", "--chat", "--temperature", 0, "--max-tokens", 4).stdout != "", "no text")
    bench = json.loads(run("bench", model, "--prompt", 16, "--generate", 2, "--repeat", 1, "--json", "-").stdout)
    check(bench["decode"][0]["tokens_per_second_median"] > 0, bench)


def wrong_usage():
    target = base / "wrong"
    for what, arguments in {
        "unknown model": ["--like", "gpt-2"],
        "unknown format": ["--format", "int4"],
        "no layers": ["--layers", 0],
        "too many layers": ["--layers", 5000],
        "more experts a token than there are": [*SMALL, "--top-k", 17],
        "heads that don't divide": [*SMALL, "--kv-heads", 3],
        "a width NVFP4 has no blocks for": [*SMALL, "--width", 40, "--format", "nvfp4"],
        "a head of 24": [*SMALL, "--head-dim", 24],
        "a vocabulary below the tokenizer's": [*SMALL, "--tokenizer", MODEL],
        "shards of nothing": [*SMALL, "--shard-size", "0"],
    }.items():
        # The last of two values of a flag is the one that is tested.
        flags = {}
        for key, value in zip(arguments[::2], arguments[1::2]):
            flags[key] = value
        done = run("make-model", *[x for pair in flags.items() for x in pair], target, ok=False)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("hint: ")]
        check(done.returncode == 2 and len(lines) == 1 and lines[0].startswith("tetrad: error: "), f"{what}: {done.returncode} {done.stderr}")
    check(run("make-model", *SMALL, base / "fp8", ok=False).returncode == 1, "an existing directory was overwritten")
    check(not target.exists() and not (base / "wrong.partial").exists(), "something was left")


def interrupted():
    target = base / "large"
    child = subprocess.Popen([TETRAD, "make-model", "--layers", "1", "--experts", "64", "--vocab", "4096", "--quiet", str(target)], stderr=subprocess.PIPE, text=True)
    while not (base / "large.partial" / "checkpoint" / "model.safetensors").exists() and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    if child.returncode == 0:
        return print("it was done before it could be interrupted")
    check(child.returncode == 130, f"interrupted: status {child.returncode}: {errors}")
    check(not target.exists() and not (base / "large.partial").exists(), "an interrupted run left something")


formats()
nvfp4_layout()
routing_stays_spread()
tokenizer_goes_along()
wrong_usage()
interrupted()
print("make-model: three formats, same bytes, routing spread, usage errors, interruption")
