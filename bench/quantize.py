#!/usr/bin/env python3
"""Quantization against `cp` in one run, and memory: one MoE layer of MiniMax-M2.7's width.

  quantize.py [--experts 256] [--layers 1] [--repeat 3] [--directory /tmp] [--threads N]

Prints medians: seconds, weights a second and core, GB/s of source, the ratio to cp of the same file, and peak memory under --memory-limit 1GiB.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TETRAD = ROOT / "build" / "tetrad"


def timed(command):
    start = time.monotonic()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return time.monotonic() - start, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", type=int, default=256)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()))
    o = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=o.directory, prefix="tetrad-bench-") as scratch:
        work = pathlib.Path(scratch)
        model = work / "model"
        subprocess.run([sys.executable, ROOT / "tools" / "make_model.py", model, "--experts", str(o.experts), "--layers", str(o.layers)], check=True)
        source = model / "model.safetensors"
        gigabytes = source.stat().st_size / 1e9
        rows = {"cp": []}
        peaks = {}
        for _ in range(o.repeat):  # in turn, so that a machine that slows down slows all of them
            rows["cp"].append(timed(["cp", source, work / "copy"])[0])
            (work / "copy").unlink()
            for algorithm in ("max", "mse", "four-over-six"):
                out = work / "out"
                seconds, text = timed([TETRAD, "quantize", model, out, "--quiet", "--algorithm", algorithm, "--memory-limit", "1GiB", "--threads", o.threads, "--json", "-"])
                result = json.loads(text)
                rows.setdefault(algorithm, []).append(seconds)
                peaks[algorithm] = max(peaks.get(algorithm, 0), result["peak_rss_bytes"])
                weights = result["quantized_weights"]
                shutil.rmtree(out)
    cp = statistics.median(rows["cp"])
    print(f"{gigabytes:.2f} GB FP8, {weights / 1e6:.0f} M expert weights, {o.threads} threads, medians of {o.repeat} (min .. max)")
    print(f"{'':<15}{'seconds':>9}  {'min .. max':<15}{'GB/s':>7}{'M weights/s/core':>18}{'rate / cp':>11}{'peak MB':>9}")
    for name, seconds in rows.items():
        median = statistics.median(seconds)
        speed = f"{weights / median / o.threads / 1e6:18.0f}" if name != "cp" else f"{'':18}"
        peak = f"{peaks[name] / 1e6:9.0f}" if name in peaks else ""
        print(f"{name:<15}{median:9.2f}  {min(seconds):6.2f} ..{max(seconds):6.2f} {gigabytes / median:8.2f}{speed}{cp / median:11.2f}{peak}")


main()
