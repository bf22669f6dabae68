#!/usr/bin/env python3
"""Runs tetrad over the broken inputs of make_broken.py: run.py TETRAD [NAME...]. Each must end with status 1 and one line `tetrad: error: ...` (and at
most one `hint: ...`), within 20 s, without a signal or a sanitizer's report, and leave nothing at the output's name."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 20
CRASH = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer|terminate called|check failed|Assertion|Segmentation|std::|nlohmann|\[json\.")


def faults_of(case, tetrad):
    started = time.monotonic()
    try:
        done = subprocess.run([tetrad, *case["arguments"]], capture_output=True, timeout=3 * SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return [f"still running after {3 * SECONDS} s"]
    seconds = time.monotonic() - started
    stderr, stdout = done.stderr.decode("utf-8", "replace"), done.stdout.decode("utf-8", "replace")
    lines = stderr.splitlines()
    errors = [line for line in lines if line.startswith("tetrad: error: ")]
    hints = [line for line in lines if line.startswith("hint: ")]
    faults = []
    if done.returncode != 1:
        faults.append(f"status {done.returncode}")
    if len(errors) != 1:
        faults.append(f"{len(errors)} error lines")
    elif errors[0].count(": ") < 2:
        faults.append("the error does not say where")
    elif case["mention"] and case["mention"] not in errors[0]:
        faults.append(f"the error does not mention {case['mention']!r}")
    if len(hints) > 1:
        faults.append(f"{len(hints)} hints")
    if CRASH.search(stderr) or CRASH.search(stdout):
        faults.append("a crash or a library's own words in the output")
    if seconds > SECONDS:
        faults.append(f"{seconds:.1f} s")
    if case["output"] and os.path.lexists(case["output"]):
        faults.append("it left an output behind")
    return [*faults, "  " + " | ".join(lines[-3:])[:400]] if faults else []


def main():
    tetrad, only = os.path.abspath(sys.argv[1]), set(sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="tetrad-broken-") as folder:
        subprocess.run([sys.executable, str(HERE / "make_broken.py"), folder], check=True)
        cases = json.loads((pathlib.Path(folder) / "cases.json").read_text())
        failed = 0
        for case in cases:
            if only and case["name"] not in only:
                continue
            faults = faults_of(case, tetrad)
            if faults:
                failed += 1
                print(f"FAILED {case['name']} (tetrad {' '.join(case['arguments'])[:200]})")
                for fault in faults:
                    print("   ", fault)
        print(f"{failed} failed")
        sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
