#!/usr/bin/env python3
"""Runs every fuzz target for a while, two at a time, on a copy of its corpus.

  run_fuzz.py BUILD_DIRECTORY [--seconds N]

A finding ends with exit status 1 and leaves the input in BUILD_DIRECTORY/findings.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(target, build, seconds):
    name = target.name.removesuffix("_fuzz")
    work = build / "corpus" / name
    work.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "fuzz" / "corpus" / name
    findings = build / "findings"
    findings.mkdir(exist_ok=True)
    command = [str(target), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=3000", "-max_len=65536", "-print_final_stats=1",
               f"-artifact_prefix={findings}/{name}-", str(work)] + ([str(seeds)] if seeds.is_dir() else [])
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    stats = {line.split("::")[1].split(":")[0]: line.split()[-1] for line in done.stderr.splitlines() if line.startswith("stat::")}
    return name, done.returncode, stats.get("number_of_executed_units", "?"), done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    targets = sorted(p for p in options.build.resolve().glob("*_fuzz") if p.is_file())
    if not targets:
        sys.exit(f"error: no fuzz targets in {options.build}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for name, status, runs, log in pool.map(lambda t: run(t, options.build.resolve(), options.seconds), targets):
            print(f"fuzz {name:<14} {runs:>10} runs in {options.seconds} s  {'ok' if status == 0 else 'FAILED'}", flush=True)
            if status != 0:
                failed += 1
                print(log[-4000:])
    shutil.rmtree(options.build / "corpus", ignore_errors=True)
    print(f"{len(targets) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
