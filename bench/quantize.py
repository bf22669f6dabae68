#!/usr/bin/env python3
"""Quantization against `cp` in one run, and memory: one MoE layer of MiniMax-M2.7's width.

  quantize.py [--experts 256] [--layers 1] [--repeat 3] [--directory /tmp] [--threads N] [--calibration-tokens 512] [--tetrad build/tetrad]

Prints medians: seconds, CPU seconds (what other load on the machine changes less), GB/s of source, weights a second and core, the ratio to cp of
the same file, and peak memory under --memory-limit 1GiB. "calibrated" is max with that many random tokens: the layer runs, its experts are routed.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(command):
    start, cpu = time.monotonic(), cpu_seconds()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return (time.monotonic() - start, cpu_seconds() - cpu), done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", type=int, default=256)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()))
    parser.add_argument("--calibration-tokens", type=int, default=512)
    parser.add_argument("--tetrad", type=pathlib.Path, default=ROOT / "build" / "tetrad")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=o.directory, prefix="tetrad-bench-") as scratch:
        work = pathlib.Path(scratch)
        model = work / "model"
        one_file = ["--shard-size", "1TB"]
        timed([o.tetrad, "make-model", model, "--experts", o.experts, "--layers", o.layers, "--vocab", 32768, *one_file])
        source = model / "model.safetensors"
        ids = work / "ids.json"
        numbers = random.Random(0)
        ids.write_text(json.dumps([[numbers.randrange(32768) for _ in range(128)] for _ in range(-(-o.calibration_tokens // 128))]))
        kinds = {"max": ["max"], "mse": ["mse"], "four-over-six": ["four-over-six"], "calibrated": ["max", "--calibration-ids", ids]}
        gigabytes = source.stat().st_size / 1e9
        rows = {"cp": []}
        peaks = {}
        for _ in range(o.repeat):  # in turn, so that a machine that slows down slows all of them
            rows["cp"].append(timed(["cp", source, work / "copy"])[0])
            (work / "copy").unlink()
            for kind, flags in kinds.items():
                out = work / "out"
                limits = ["--memory-limit", "1GiB", "--threads", o.threads, "--json", "-"]
                times, text = timed([o.tetrad, "quantize", model, out, "--quiet", *limits, "--algorithm", *flags])
                result = json.loads(text)
                rows.setdefault(kind, []).append(times)
                peaks[kind] = max(peaks.get(kind, 0), result["peak_rss_bytes"])
                weights = result["quantized_weights"]
                shutil.rmtree(out)
    cp = statistics.median(seconds for seconds, _ in rows["cp"])
    print(f"{gigabytes:.2f} GB FP8, {weights / 1e6:.0f} M expert weights, {o.threads} threads, medians of {o.repeat} (min .. max), load {os.getloadavg()[0]:.1f}")
    print(f"{'':<15}{'seconds':>9}  {'min .. max':<17}{'CPU s':>7}{'GB/s':>7}{'M weights/s/core':>18}{'/CPU s':>8}{'rate / cp':>11}{'peak MB':>9}")
    for name, times in rows.items():
        seconds = [wall for wall, _ in times]
        median, cpu = statistics.median(seconds), statistics.median(c for _, c in times)
        speed = f"{weights / median / o.threads / 1e6:18.0f}{weights / cpu / 1e6:8.0f}" if name != "cp" else f"{'':26}"
        peak = f"{peaks[name] / 1e6:9.0f}" if name in peaks else ""
        print(f"{name:<15}{median:9.2f}  {min(seconds):6.2f} ..{max(seconds):7.2f}{cpu:9.2f}{gigabytes / median:7.2f}{speed}{cp / median:11.2f}{peak}")


main()
