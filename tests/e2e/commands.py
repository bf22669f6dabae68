#!/usr/bin/env python3
"""The command line's contract: exit statuses, what goes to stdout, JSON keys, and results against the bundled references."""
import array
import json
import math
import shutil
import struct
import subprocess

from _common import MODEL, TETRAD, check, run, scratch, tensors

base = scratch()
done = run("--version")
check("SIMD targets" in done.stdout and "cpu" in done.stdout, "--version names backends and SIMD targets")
for command in ("quantize", "eval", "logits", "tokenize", "detokenize", "render", "inspect", "verify", "generate"):
    check("--threads" in run(command, "--help").stdout, f"{command} --help")
for usage in ([], ["nothing"], ["quantize"], ["tokenize", MODEL], ["quantize", MODEL, base / "x", "--algorithm", "none"], ["quantize", MODEL, base / "x", "--memory-limit", "many"],
              ["eval", MODEL, MODEL], ["generate", MODEL, "--prompt", "x", "--top-p", "7"], ["generate", MODEL, "--prompt", "x", "--seed", "-1"], ["quantize", MODEL, base / "x", "--shard-size", "0"]):
    done = run(*usage, ok=False)
    check(done.returncode == 2 and done.stderr.startswith("tetrad: error: ") and not done.stdout, f"wrong usage {usage}: {done.returncode} {done.stderr!r}")
    check(done.stderr.split("\n")[0].count(": ") >= 3, f"an error says what, where and why: {done.stderr!r}")

glm = MODEL.parent.parent / "tests" / "data" / "golden" / "tiny_glm_bf16"
(base / "ids.json").write_text("[[1, 2, 3]]")
done = run("quantize", glm, base / "glm", "--calibration-ids", base / "ids.json", "--dry-run", ok=False)
check(done.returncode == 1 and "hint: without calibration" in done.stderr, f"what can't be calibrated is refused by the dry run: {done.stderr!r}")
done = run("logits", MODEL, "--ids", base / "ids.json", "--output", base / "w4a4.safetensors", "--activations", "nvfp4")
check("384 of 384 expert matrices have no NVFP4 weights" in done.stderr, f"activations that stay as they are: {done.stderr!r}")

# A model that gives NaN everywhere must not look perfect.
broken = base / "broken"
shutil.copytree(MODEL, broken)
shard = broken / json.loads((broken / "model.safetensors.index.json").read_text())["weight_map"]["model.norm.weight"]
data = bytearray(shard.read_bytes())
(length,) = struct.unpack("<Q", data[:8])
begin, end = json.loads(data[8:8 + length])["model.norm.weight"]["data_offsets"]
data[8 + length + begin:8 + length + end] = b"\xc0\x7f" * ((end - begin) // 2)
shard.write_bytes(data)
candidate = json.loads(run("eval", MODEL, broken, "--data", base / "ids.json", "--json", "-", "--html", base / "nan.html", "--quiet").stdout)["candidates"][0]
check(candidate["nonfinite"] == 2 and candidate["perplexity"] is None and candidate["top1_agreement"] is None and candidate["kld"]["mean"] is None, f"no finite position: {candidate}")

# Another model of the same shape is no finished work to resume.
done_before = base / "done"
run("quantize", MODEL, done_before, "--algorithm", "max", "--quiet")
check("was complete already" in run("quantize", MODEL, done_before, "--algorithm", "max", "--quiet", "--resume").stdout, "--resume of finished work")
done = run("quantize", broken, done_before, "--algorithm", "max", "--quiet", "--resume", ok=False)
check(done.returncode == 1 and "the destination exists" in done.stderr, f"--resume with other weights: {done.stdout!r} {done.stderr!r}")

# What the shell's <(command) gives is read.
text = subprocess.run(["bash", "-c", f"'{TETRAD}' tokenize '{MODEL}' --file <(printf Hi)"], capture_output=True, text=True).stdout
check(text == run("tokenize", MODEL, "--text", "Hi").stdout, f"a pipe as --file: {text!r}")

# Flags that may be given more than once leave the models alone, wherever they stand.
(base / "a.json").write_text("[[5, 6, 7, 8]]")
(base / "b.json").write_text("[[9, 10, 11]]")
a, b = base / "a.json", base / "b.json"
positions = [json.loads(run("eval", *args, "--json", "-", "--quiet").stdout)["positions"]
             for args in (["--data", a, "--data", b, MODEL, MODEL], [MODEL, MODEL, "--data", a, "--data", b], [MODEL, MODEL, "--data", a, b])]
check(positions == [5, 5, 5], f"--data before and behind the models: {positions}")
run("quantize", "--dry-run", "--calibration-tokens", "100", "--calibration", MODEL / "data" / "calibration.jsonl", MODEL, base / "x")
run("generate", "--max-tokens", "1", "--stop", "x", MODEL, "--prompt", "Hi")

# What would be lost behind the work is refused before it.
copy = base / "copy"
shutil.copytree(MODEL, copy)
for destination in (copy, copy / "..", base):
    done = run("quantize", copy, destination, "--overwrite", ok=False)
    check(done.returncode == 1 and "the destination holds the source" in done.stderr, f"quantize onto its own source, {destination}: {done.stderr!r}")
check(sorted(p.name for p in copy.iterdir()) == sorted(p.name for p in MODEL.iterdir()), "the source is as it was")
for flag in ("--json", "--html"):
    done = run("quantize", MODEL, base / "early", flag, base / "nowhere" / "x", ok=False)
    check(done.returncode == 1 and "cannot write result" in done.stderr and not (base / "early").exists(), f"{flag} is looked at first: {done.stderr!r}")

# tokenize, detokenize, render
text = "What is 7 + 5? 法国 \t\n\n  ]~b]user\n<think>é́🇳🇴"
ids = json.loads(run("tokenize", MODEL, "--text", text).stdout)
check(run("detokenize", MODEL, "--ids", " ".join(map(str, ids))).stdout == text, "tokenize and detokenize are inverse")
check("]~b]" not in run("detokenize", MODEL, "--ids", " ".join(map(str, ids)), "--skip-special-tokens").stdout, "--skip-special-tokens")
conversation = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": '{"a": "b"}'}}]}]}
(base / "c.json").write_text(json.dumps(conversation))
check('<parameter name="a">b</parameter>' in run("render", MODEL, "--input", base / "c.json").stdout, "arguments that are JSON text are parsed")
(base / "t.jinja").write_text("{{ messages[0].content }}|{{ missing is defined }}")
check(run("render", base / "t.jinja", "--input", base / "c.json").stdout == "Hi|False", "a template file gets the variables untouched")

# logits against transformers in F32
run("logits", MODEL, "--ids", MODEL / "reference" / "ids.json", "--output", base / "l.safetensors", "--quiet")
refused = run("logits", MODEL, "--ids", MODEL / "reference" / "ids.json", "--output", base / "l.safetensors", ok=False)
check(refused.returncode == 1, "an existing output is not overwritten")


def read_logits(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8:8 + length])["logits"]
    values = array.array("f")
    values.frombytes(data[8 + length:])
    return entry["dtype"], entry["shape"], values


ours, theirs = read_logits(base / "l.safetensors"), read_logits(MODEL / "reference" / "logits_f32.safetensors")
check(ours[:2] == theirs[:2], f"logits: {ours[:2]} instead of {theirs[:2]}")
largest = max(abs(a - b) for a, b in zip(ours[2], theirs[2]))
check(largest <= 2e-4, f"logits differ by {largest}")
print(f"logits: largest difference {largest:.2e}")

# generate: the greedy answers of transformers
for answer in json.loads((MODEL / "reference" / "greedy.json").read_text()):
    if answer["tools"] is None:
        got = json.loads(run("generate", MODEL, "--chat", "--prompt", answer["user"], "--temperature", "0", "--max-tokens", "64", "--json", "-").stdout)
        check(got["ids"] == answer["greedy_ids"], f"greedy answer to {answer['user']!r}: {got['text']!r}")
a, b = (run("generate", MODEL, "--chat", "--prompt", "Hello!", "--seed", "3", "--threads", t).stdout for t in (1, 2))
check(a == b and len(a) > 1, "a seed gives one text, whatever the threads")
stopped = json.loads(run("generate", MODEL, "--chat", "--prompt", "What is the capital of Norway?", "--temperature", "0", "--stop", "Oslo", "--json", "-").stdout)
check("Oslo" not in stopped["text"] and stopped["finish_reason"] == "stop", "--stop")

# quantize --dry-run, quantize, verify, inspect, eval
done = run("quantize", MODEL, base / "dry", "--dry-run")
check("plan:" in done.stdout and not (base / "dry").exists() and not (base / "dry.partial").exists(), "--dry-run writes nothing")
out = base / "nvfp4"
done = run("quantize", MODEL, out, "--algorithm", "max", "--calibration", MODEL / "data" / "calibration.jsonl", "--calibration-tokens", "2000", "--json", "-", "--html", base / "q.html")
result = json.loads(done.stdout)
for key in ("source", "destination", "recipe", "algorithm", "tensors", "quantized_tensors", "bytes_in", "bytes_out", "seconds", "peak_rss_bytes", "calibration", "layers", "warnings"):
    check(key in result, f"quantize --json lacks {key}")
check(result["quantized_tensors"] == 4 * 32 * 3 and result["calibration"]["tokens"] == 2000, "counts")
expert = result["layers"][0]["experts"][0]
check(set(expert["relative_error"]) == {"gate", "up", "down"} and 0.05 < expert["relative_error"]["gate"] < 0.15, "relative errors")
check(sum(e["tokens"] for e in result["layers"][0]["experts"]) == 2000 * 4, "every token goes to top-4 experts, and padding to none")
for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json", "config.json", "hf_quant_config.json"):
    check((out / file).exists(), f"{file} is not in the output")
check("://" not in (base / "q.html").read_text(), "the report asks nobody for anything")
stored = tensors(out)
check(stored["model.layers.0.block_sparse_moe.gate.weight"][0] == "F32" and stored["model.layers.0.self_attn.q_proj.weight"][0] == "BF16", "router F32, attention BF16")
check(run("verify", out, "--against", MODEL, "--json", base / "v.json").returncode == 0, "verify accepts what quantize wrote")
check(json.loads(run("inspect", out, "--json", "-").stdout), "inspect --json")
for more in ([], ["--activations", "nvfp4"]):
    done = run("eval", MODEL, out, MODEL, "--data", MODEL / "data" / "eval.jsonl", "--max-tokens", "3000", "--json", base / "e.json", "--html", base / "e.html", *more)
    result = json.loads((base / "e.json").read_text())
    nvfp4, same = result["candidates"]
    check(same["kld"]["mean"] == 0 and same["top1_agreement"] == 1, "a model against itself")
    check(1e-4 < nvfp4["kld"]["mean"] < 0.5 and nvfp4["nonfinite"] == 0, f"KLD {nvfp4['kld']['mean']}")
    check(abs(math.log(nvfp4["perplexity"] / result["reference_perplexity"])) < 0.2, "perplexity")
    check(len(nvfp4["layers"]) == 4 and "tools" in nvfp4["by_category"], "layers and categories")
    print(f"eval {more}: KLD {nvfp4['kld']['mean']:.5f} ± {nvfp4['kld']['standard_error']:.5f}")
first = [run("eval", MODEL, out, "--data", MODEL / "data" / "eval.jsonl", "--max-tokens", "1500", "--threads", t, "--memory-limit", m, "--json", "-", "--quiet").stdout for t, m in ((1, "1GiB"), (2, "24MiB"))]
check(json.loads(first[0])["candidates"][0]["kld"] == json.loads(first[1])["candidates"][0]["kld"], "threads and memory limit don't change a result")

# An interrupt ends with 130 and keeps what is finished.
process = subprocess.Popen([TETRAD, "quantize", MODEL, base / "int", "--calibration", MODEL / "data" / "calibration.jsonl", "--calibration-tokens", "60000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
try:
    process.wait(timeout=1.5)
except subprocess.TimeoutExpired:
    process.send_signal(2)
_, error = process.communicate(timeout=60)
check(process.returncode == 130 and "tetrad: error: interrupted" in error, f"SIGINT: {process.returncode} {error!r}")
check(not (base / "int").exists(), "nothing half-written has the final name")
print("commands: ok")
