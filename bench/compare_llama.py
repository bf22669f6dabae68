#!/usr/bin/env python3
"""tetrad and llama.cpp on the same NVFP4 checkpoint of MiniMax-M2, with the same threads, in turn within one run.

  compare_llama.py [--model DIR] [--tokenizer DIR] [--tetrad build/tetrad] [--threads N] [--rounds 3] [--fast] [--no-servers] [--json FILE]

Without --model the bundled model is quantized into out/. llama.cpp is built once in build-llama/ from the source distribution of llama-cpp-python
(PyPI). The GGUF has the checkpoint's 4-bit codes; its block scales are rounded (bench/_convert_gguf.py says why), so compare speed, not text.
A model of `tetrad make-model` without --tokenizer has none, which the converter needs: --tokenizer (default: the bundled model) lends its files, through links
in a folder beside it. Both servers get prompts as token ids, so the tokenizer's size costs neither anything.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys

import _llama
from _load import notes
from _servers import Running, tetrad_server, vocabulary_of
from serve import add_load_options, run_load, write_json

ROOT = pathlib.Path(__file__).resolve().parent.parent
TINY = ROOT / "models" / "tiny-minimax-m2"


def checkpoint(o):
    """The NVFP4 checkpoint, with a tokenizer."""
    if not o.tetrad.exists():
        sys.exit(f"compare_llama: missing: {o.tetrad} (make build, or --tetrad)")
    model = o.model
    if model is None:
        model = ROOT / "out" / "tiny-NVFP4-mse"
        if not (model / "config.json").exists():
            model.parent.mkdir(exist_ok=True)
            _llama.call([o.tetrad, "quantize", TINY, model, "--quiet"], "an NVFP4 checkpoint")
    elif not (model / "config.json").exists():
        sys.exit(f"compare_llama: missing: {model}/config.json")
    if (model / "tokenizer.json").exists():
        return model
    lent = _llama.BUILD / f"{model.resolve().name}-with-tokenizer"
    lent.mkdir(parents=True, exist_ok=True)
    for folder, names in ((model, [p.name for p in model.iterdir()]), (o.tokenizer, ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])):
        for name in names:
            if (folder / name).exists() and not (lent / name).is_symlink():
                (lent / name).symlink_to((folder / name).resolve())
    return lent


def tetrad_rates(model, o):
    out = _llama.call([o.tetrad, "bench", model, "--threads", o.threads, "--prompt", o.prompt, "--generate", o.generate, "--concurrency", 1, "--concurrency", o.batch,
                       "--repeat", 1, "--quiet", "--json", "-", *o.flags], "tetrad bench")
    value = json.loads(out)
    result = {f"prefill {o.prompt}": value["prefill"][0]["tokens_per_second_median"]}
    for row in value["decode"]:
        result[f"decode, batch {row['concurrency']}"] = row["tokens_per_second_median"]
    return result


def llama_server(binaries, gguf, model, o):
    """Prompts differ and end with the request, so llama-server keeps none (cache-ram); a slot for each request that runs at once."""
    width = max(o.concurrency)
    context = width * (o.prompt_tokens + o.max_tokens + 64)
    return Running([binaries / "llama-server", "-m", gguf, "-t", o.threads, "-tb", o.threads, "-np", width, "-c", context, "--cache-ram", 0,
                    "--alias", "model"], "model", vocabulary_of(model))


def measure(o, model, binaries, gguf):
    """{figure: {"tetrad": [..], "llama.cpp": [..]}} remarks, failed requests; the two take turns, and who begins alternates."""
    figures, remarks, failed = {}, [], 0
    sides = [("tetrad", lambda: tetrad_rates(model, o), lambda: tetrad_server(o.tetrad, model, o.threads, *o.flags)),
             ("llama.cpp", lambda: _llama.rates(binaries, gguf, o), lambda: llama_server(binaries, gguf, model, o))]
    one = argparse.Namespace(**{**vars(o), "rounds": 1})
    for number in range(o.rounds):
        for side, speeds, _ in sides:
            for name, value in speeds().items():
                figures.setdefault(name, {}).setdefault(side, []).append(value)
                print(f"round {number + 1} of {o.rounds}: {side}, {name}: {value:.1f} tokens/s", file=sys.stderr)
        for side, _, server in [] if o.no_servers else sides:
            with server() as target:
                rows = run_load(one, target, first=number * 100000)
            for row in rows:
                base = f"server, {row['concurrency']} at once"
                for label, value in ((base + ": tok/s", row["tokens_per_second"]["median"]), (base + ": TTFT p50 ms", row["ttft_ms"]["p50"]),
                                     (base + ": ITL p50 ms", row["itl_ms"]["p50"]),
                                     (base + ": E2E p50 ms", row["e2e_ms"]["p50"])):
                    if value is not None:
                        figures.setdefault(label, {}).setdefault(side, []).append(value)
                remarks += [f"{side}, {row['concurrency']} at once: {note}" for note in notes(row)]
                failed += row["errors"]
        sides.reverse()
    return figures, sorted(set(remarks)), failed


def report(figures):
    """Medians side by side. ratio above 1: tetrad is faster, be it a rate or a time."""
    rows = []
    for name, sides in figures.items():
        a, b = (sides.get(side, []) for side in ("tetrad", "llama.cpp"))
        if not a or not b:
            continue
        ours, theirs = statistics.median(a), statistics.median(b)
        rows.append({"figure": name, "tetrad": ours, "llama.cpp": theirs, "ratio": theirs / ours if name.endswith(" ms") else ours / theirs,
                     "tetrad_min_max": [min(a), max(a)], "llama.cpp_min_max": [min(b), max(b)]})
    width = max(len(r["figure"]) for r in rows)
    lines = [f"{'':<{width}}  {'tetrad':>10}  {'min .. max':>20}  {'llama.cpp':>10}  {'min .. max':>20}  {'ratio':>6}"]
    for r in rows:
        spans = ["{:.1f} .. {:.1f}".format(*r[key]) for key in ("tetrad_min_max", "llama.cpp_min_max")]
        lines.append(f"{r['figure']:<{width}}  {r['tetrad']:10.1f}  {spans[0]:>20}  {r['llama.cpp']:10.1f}  {spans[1]:>20}  {r['ratio']:6.2f}")
    return rows, "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, default=TINY)
    parser.add_argument("--tetrad", type=pathlib.Path, default=ROOT / "build" / "tetrad")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--prompt", type=int, default=512, help="tokens of prefill, and before decoding")
    parser.add_argument("--generate", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16, help="of batched decoding")
    parser.add_argument("--fast", dest="flags", action="store_const", const=["--fast"], default=[], help="tetrad with inputs in 8 bits, as llama.cpp has them")
    parser.add_argument("--no-servers", action="store_true", help="only prefill and decoding")
    parser.add_argument("--jobs", type=int, default=1, help="of llama.cpp's build")
    add_load_options(parser)
    parser.set_defaults(concurrency=[1, 4, 16])
    o = parser.parse_args()
    model = checkpoint(o)
    binaries = _llama.build(o.jobs)
    gguf = _llama.BUILD / f"{model.resolve().name}.gguf"
    _llama.convert(model, gguf)
    figures, remarks, failed = measure(o, model, binaries, gguf)
    rows, text = report(figures)
    out = sys.stderr if o.json == "-" else sys.stdout
    print(f"{' '.join([model.name, *o.flags])}, {o.threads} threads, medians of {o.rounds} rounds, tokens a second unless ms; ratio above 1: tetrad is faster; load {os.getloadavg()[0]:.1f}", file=out)
    print(text, *remarks, sep="\n", file=out)
    write_json(o.json, {"model": str(model), "threads": o.threads, "rounds": o.rounds, "flags": o.flags, "figures": rows, "remarks": remarks, "failed_requests": failed})
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
