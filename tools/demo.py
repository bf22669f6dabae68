#!/usr/bin/env python3
"""The main job on the bundled model: quantize it twice, measure both against the original, write the report, let the quantized model answer, also over HTTP."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

from demo_serve import serve_demo

ROOT = pathlib.Path(__file__).resolve().parent.parent
TETRAD = ROOT / "build" / "tetrad"
MODEL = pathlib.Path("models/tiny-minimax-m2")
OUT = pathlib.Path("out")


def title(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def step(text, *arguments):
    title(text)
    print("$ build/tetrad " + " ".join(f"'{a}'" if " " in str(a) else str(a) for a in arguments), flush=True)
    done = subprocess.run([TETRAD, *map(str, arguments)], cwd=ROOT)
    if done.returncode != 0:
        sys.exit(done.returncode)


def main():
    start = time.monotonic()
    os.chdir(ROOT)
    OUT.mkdir(exist_ok=True)
    for name in ("tiny-NVFP4-max", "tiny-NVFP4-mse"):  # what an earlier demo made, finished or not
        shutil.rmtree(OUT / name, ignore_errors=True)
        shutil.rmtree(OUT / f"{name}.partial", ignore_errors=True)
    for algorithm in ("max", "mse"):
        step(f"Quantize the experts to NVFP4, algorithm {algorithm}", "quantize", MODEL, OUT / f"tiny-NVFP4-{algorithm}", "--algorithm", algorithm, "--calibration", MODEL / "data/calibration.jsonl",
             "--system-prompts", MODEL / "data/system_prompts.json", "--calibration-tokens", 16384, "--html", OUT / f"quantize-{algorithm}.html", "--quiet")
    step("What did it cost? Both against the FP8 original, on conversations that calibration has not seen", "eval", MODEL, OUT / "tiny-NVFP4-max", OUT / "tiny-NVFP4-mse", "--data",
         MODEL / "data/eval.jsonl", "--max-tokens", 16384, "--html", OUT / "report.html", "--json", OUT / "eval.json")
    step("A loader's view of the result", "verify", OUT / "tiny-NVFP4-mse", "--against", MODEL)
    step("One answer from the NVFP4 model", "generate", OUT / "tiny-NVFP4-mse", "--chat", "--temperature", 0, "--prompt", "What is the capital of Norway?")
    title("Serve it, and ask over HTTP, with a tool")
    serve_demo(TETRAD, OUT / "tiny-NVFP4-mse")
    print(f"\nThe report is out/report.html. {time.monotonic() - start:.0f} s.")


main()
