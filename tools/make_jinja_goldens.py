#!/usr/bin/env python3
"""Makes tests/data/jinja/snippets.json: what Jinja2 as transformers sets it up (pip install transformers jinja2) makes of the
expressions and small templates in tests/data/jinja/{expressions,templates}.txt; jinja_test compares the engine with it.

  make_jinja_goldens.py [--check BINARY]    --check: also run `BINARY render` on each and print what differs

expressions.txt: an expression a line. templates.txt: templates between lines of `----`. In both a line that starts with `## ` is
a comment. Every snippet is rendered with the variables of tests/data/jinja/variables.json, in UTC, at a fixed second.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

try:
    from transformers.utils import chat_template_utils
except ImportError:
    sys.exit("error: the Python packages `transformers` and `jinja2` are missing\nhint: pip install transformers jinja2")

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "jinja"
NOW = 1_700_000_000  # 2023-11-14 22:13:20 UTC


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, tz)


def sources():
    for line in (FOLDER / "expressions.txt").read_text().splitlines():
        if line and not line.startswith("## "):
            yield "{{ " + line + " }}"
    text = "\n".join(line for line in (FOLDER / "templates.txt").read_text().split("\n") if not line.startswith("## "))
    for template in text.split("\n----\n"):
        yield template


def rendered(source, variables):
    try:
        return {"output": chat_template_utils._compile_jinja_template(source).render(**variables)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def check(binary, cases):
    different = 0
    with tempfile.NamedTemporaryFile("w", suffix=".jinja") as file:
        for case in cases:
            pathlib.Path(file.name).write_bytes(case["source"].encode())
            done = subprocess.run([binary, "render", file.name, "--input", FOLDER / "variables.json"], capture_output=True, timeout=60)
            got = done.stdout.decode() if done.returncode == 0 else None
            if got != case.get("output") and "strftime_now" not in case["source"]:
                different += 1
                print(f"{case['source']!r}\n  Jinja2 {case.get('output', case.get('error'))!r}\n  tetrad {got if got is not None else done.stderr.decode()!r}")
    print(f"{len(cases)} snippets, {different} differ")
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="BINARY")
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    chat_template_utils.datetime = FixedClock
    variables = json.loads((FOLDER / "variables.json").read_bytes())
    cases = [{"source": source, **rendered(source, variables)} for source in sources()]
    frozen = [{**case, "error": True} if "error" in case else case for case in cases]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in frozen)
    (FOLDER / "snippets.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} snippets, {sum('error' in case for case in cases)} of them fail")
    sys.exit(1 if options.check and check(options.check, cases) else 0)


main()
