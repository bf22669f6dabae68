#!/usr/bin/env python3
"""A model that is larger than memory, here because --expert-cache says so: generate, bench and serve give what mapped weights give, and say what the cache does."""
import json
import os
import re

from _common import MODEL, check, run, scratch
from _server import Server

base = scratch()
QUESTION = "What is the capital of Norway?"
ASK = ("generate", MODEL, "--chat", "--temperature", 0, "--prompt", QUESTION, "--max-tokens", 40)


def generates():
    mapped = run(*ASK)
    check("larger than memory" not in mapped.stderr, f"a model that fits stays mapped: {mapped.stderr!r}")
    threads = (os.cpu_count() or 1) + 2
    pinned = run(*ASK, "--pin-threads", "--threads", threads)
    check(pinned.stdout == mapped.stdout and f"of {threads} threads could have a core of their own" in pinned.stderr, f"--pin-threads: {pinned.stderr!r}")
    for flag in ("off", "100KB", "1MB", "1GB"):
        done = run(*ASK, "--expert-cache", flag)
        check(done.stdout == mapped.stdout, f"--expert-cache {flag}: {done.stdout!r} {mapped.stdout!r}")
        check(("larger than memory" in done.stderr) == (flag != "off"), f"--expert-cache {flag}: {done.stderr!r}")


def refuses():
    for flag in ("some", "1XB", "-1", "100"):
        done = run(*ASK, "--expert-cache", flag, ok=False)
        check(done.returncode == 2 and "--expert-cache" in done.stderr, f"{flag}: {done.returncode} {done.stderr!r}")
    done = run("serve", MODEL, "--expert-cache", "2MB", "--mem-fraction-static", "1", "--max-total-tokens", str(10**9), ok=False)
    check(done.returncode == 1 and "does not fit" in done.stderr, f"a pool beyond memory: {done.stderr!r}")


def benches():
    arguments = ("bench", MODEL, "--prompt", 48, "--generate", 8, "--repeat", 2, "--concurrency", 1, "--concurrency", 4, "--expert-cache")
    plain = json.loads(run(*arguments, "off", "--json", "-").stdout)
    check("expert_cache" not in plain["decode"][0] and "disk_read_gbs" not in plain["machine"], plain)
    cached = json.loads(run(*arguments, "1MB", "--json", "-").stdout)
    for part in cached["prefill"] + cached["decode"]:
        use = part["expert_cache"]
        check(part["tokens_per_second_median"] > 0 and 0 <= use["hit_rate"] < 1, part)
        check(use["bytes_read_per_step"] > 0 and use["read_gbs"] > 0 and 0 <= use["fraction_of_disk"] <= 1, part)
    whole = json.loads(run(*arguments, "1GB", "--json", "-").stdout)
    check(whole["decode"][0]["expert_cache"]["hit_rate"] > cached["decode"][0]["expert_cache"]["hit_rate"], "more memory, more hits")
    text = run(*arguments, "1MB", "--profile").stdout
    check("experts from disk" in text and "wait for experts" in text, text)


def serves():
    body = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 40, "temperature": 0}
    answers = []
    for flag in ("off", "2MB"):
        server = Server("--expert-cache", flag)
        answers.append(json.loads(server.ask("POST", "/v1/chat/completions", body).body)["choices"][0]["message"])
        metrics = dict(re.findall(r"^tetrad_(expert_cache_\w+)\{.*\} (\S+)$", server.get("/metrics").body.decode(), re.M))
        if flag == "off":
            check(not metrics and "larger than memory" not in server.log(), metrics)
        else:
            number = {name: float(value) for name, value in metrics.items()}
            check(0 < number["expert_cache_hit_rate"] < 1 and number["expert_cache_hits_total"] > 0 and number["expert_cache_misses_total"] > 0, metrics)
            check(number["expert_cache_read_bytes_total"] > 0 and 0 < number["expert_cache_resident_bytes"] <= number["expert_cache_capacity_bytes"] <= 2_000_000, metrics)
            check(re.search(r"memory: larger than memory: dense weights .* of experts \(\d+ %\), keys and values", server.log()), server.log())
        check(server.stop() == 0, "it ends well")
    check(answers[0] == answers[1], f"the same answer: {answers}")


generates()
refuses()
benches()
serves()
print("larger than memory: generate, bench and serve give what mapped weights give")
