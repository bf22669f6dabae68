#!/usr/bin/env python3
"""kill -9 at random moments, then --resume: the same bytes as an uninterrupted run, every time. Arguments: BINARY [KILLS]"""
import random
import shutil
import signal
import subprocess
import sys
import time

from _common import MODEL, SANITIZED, TETRAD, check, digest, run, scratch

KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 6 if SANITIZED else 30
base = scratch()


def command(destination, *more):
    return [TETRAD, "quantize", str(MODEL), str(destination), "--quiet", "--algorithm", "mse", "--calibration", str(MODEL / "data" / "calibration.jsonl"),
            "--system-prompts", str(MODEL / "data" / "system_prompts.json"), "--calibration-tokens", "3000", "--shard-size", "3MB", *more]


start = time.monotonic()
run(*command(base / "whole")[1:])
seconds = time.monotonic() - start
expected = digest(base / "whole")
random.seed(7)
kills = runs = 0
while kills < KILLS:
    destination = base / f"run{runs}"
    runs += 1
    for attempt in range(200):
        # Early and late moments are tried as often as those in the middle; every fourth attempt goes through, so that each run ends.
        process = subprocess.Popen(command(destination, *(["--resume"] if attempt else [])), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, error = process.communicate(timeout=None if attempt % 4 == 3 else random.random() * seconds * 1.05)
            check(process.returncode == 0, f"attempt {attempt}: status {process.returncode}: {error.decode()[-500:]}")
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
    check(digest(destination) == expected, f"run {runs}: other bytes than the uninterrupted run's")
    left = [p.name for p in base.iterdir() if p.name.endswith(".partial")]
    check(not left, f"left behind: {left}")
    shutil.rmtree(destination)

# A resume of finished work does nothing; other options don't continue it; without --overwrite nothing is replaced.
done = run(*command(base / "whole", "--resume")[1:])
check("complete already" in done.stdout and digest(base / "whole") == expected, "resuming finished work")
refused = run(*command(base / "whole")[1:], ok=False)
check(refused.returncode == 1 and "tetrad: error: " in refused.stderr, "an existing destination is refused")
process = subprocess.Popen(command(base / "other"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(seconds * 0.6)
process.kill()
process.wait()
if (base / "other.partial").exists():
    refused = run(*command(base / "other", "--resume", "--seed", "5")[1:], ok=False)
    check(refused.returncode == 1 and "cannot resume" in refused.stderr, f"other options don't continue: {refused.stderr}")
    refused = run(*command(base / "other")[1:], ok=False)
    check(refused.returncode == 1 and "unfinished work" in refused.stderr, "unfinished work is not thrown away unasked")
    run(*command(base / "other", "--overwrite")[1:])
    check(digest(base / "other") == expected, "beginning anew")
print(f"{kills} kills in {runs} runs of {seconds:.1f} s: the same bytes every time")
