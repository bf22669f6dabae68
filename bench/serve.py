#!/usr/bin/env python3
"""Load on `tetrad serve`, or on any OpenAI-compatible server: tokens a second and latencies at several concurrencies.

  serve.py MODEL [--tetrad build/tetrad] [--threads N]        starts the server itself
  serve.py --url http://127.0.0.1:30000 --model-name NAME     uses one that runs

Requests stream, none ends before --max-tokens (ignore_eos), and no two share more of their prompts than --shared-prefix. Completions send
token ids, so that --prompt-tokens is exact; chat sends as many words. ITL is the time between two events with text. "client CPU" is this
program's own share of a core: near 100 % the client, not the server, was measured.
"""
import argparse
import asyncio
import json
import os
import pathlib
import sys

from _load import notes, round_of, summarize, table
from _servers import target_of, tetrad_server

ROOT = pathlib.Path(__file__).resolve().parent.parent


def add_load_options(parser):
    parser.add_argument("--api", choices=("completions", "chat"), default="completions")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--requests", type=int, default=0, help="a round; 0: twice the concurrency, at least 16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shared-prefix", type=int, default=0, metavar="N", help="first N prompt tokens are the same in all requests")
    parser.add_argument("--timeout", type=float, default=120, help="seconds that a request may take")
    parser.add_argument("--api-key")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="- is stdout")


def run_load(options, target, first=0):
    """The rows of the report. Concurrencies take turns within a round, so that a machine that slows down slows all of them."""
    asyncio.run(round_of(argparse.Namespace(**{**vars(options), "requests": 1}), target, 1, first))  # pages in weights
    first += 1
    rounds = {c: [] for c in options.concurrency}
    for _ in range(options.rounds):
        for concurrency in options.concurrency:
            rounds[concurrency].append(asyncio.run(round_of(options, target, concurrency, first)))
            first += len(rounds[concurrency][-1][0])
    return [summarize(concurrency, done) for concurrency, done in rounds.items()]


def write_json(where, value):
    text = json.dumps(value, indent=1) + "\n"
    if where == "-":
        sys.stdout.write(text)
    elif where:
        pathlib.Path(where).write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=pathlib.Path)
    parser.add_argument("--url")
    parser.add_argument("--model-name", default="default")
    parser.add_argument("--vocabulary", type=int, default=1000, help="with --url: prompt ids are below it")
    parser.add_argument("--tetrad", type=pathlib.Path, default=ROOT / "build" / "tetrad")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    add_load_options(parser)
    o = parser.parse_args()
    if (o.model is None) == (o.url is None):
        parser.error("want MODEL or --url")
    if min(*o.concurrency, o.rounds, o.prompt_tokens, o.max_tokens) < 1 or o.vocabulary <= 100:
        parser.error("counts are at least 1, --vocabulary above 100")
    if o.url:
        rows = run_load(o, target_of(o.url, o.model_name, o.vocabulary))
    else:
        with tetrad_server(o.tetrad, o.model, o.threads) as target:
            rows = run_load(o, target)
    out = sys.stderr if o.json == "-" else sys.stdout
    shared = "shared" if o.api == "completions" else "words shared"
    measured = rows[0]["prompt_tokens"] or o.prompt_tokens  # chat adds its template, and a word may be several tokens
    print(f"{o.api}, prompts of {measured:.0f} tokens ({o.shared_prefix} {shared}), {o.max_tokens} generated, {o.rounds} rounds; milliseconds, load {os.getloadavg()[0]:.1f}", file=out)
    print(table(rows), file=out)
    for row in rows:
        for note in notes(row):
            print(f"concurrency {row['concurrency']}: {note}", file=out)
    write_json(o.json, {"api": o.api, "prompt_tokens": o.prompt_tokens, "max_tokens": o.max_tokens, "rounds": o.rounds, "results": rows})
    sys.exit(1 if any(row["errors"] for row in rows) else 0)


if __name__ == "__main__":
    main()
