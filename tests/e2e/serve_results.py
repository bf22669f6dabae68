#!/usr/bin/env python3
"""What a request gets depends on nothing but the request: 200 concurrent streams against each alone, under every setting that changes how it is computed; seeds; logprobs
against `tetrad logits`."""
import json
import math
import pathlib
import struct
import sys
import time

from _common import MODEL, SANITIZED, check, run, scratch, tensors
from _server import Server, at_once, merge_chat, whole_chat

STREAMS = 50 if SANITIZED else 200  # a sanitizer looks for what a stream does to memory, which 50 show; equal bytes are the release build's to show
CONVERSATIONS = [json.loads(line) for line in (MODEL / "data" / "eval.jsonl").read_text().splitlines()]


def request(number):
    """Varied: with and without tools, short and long, with history, stop strings and logprobs."""
    conversation = CONVERSATIONS[number]
    messages = [m for m in conversation["messages"]]
    last = max(i for i, m in enumerate(messages) if m["role"] == "user")
    body = {"messages": messages[:last + 1], "temperature": 0, "max_tokens": 8 + number * 7 % 33, "logprobs": True, "top_logprobs": number % 3}
    if conversation.get("tools") and number % 4:
        body["tools"] = conversation["tools"]
    if number % 5 == 0:
        body["stop"] = [" the", "\u3002"]
    if number % 7 == 0:
        body |= {"ignore_eos": True, "repetition_penalty": 1.1}
    return body


def stream(server, body):
    return merge_chat(server.events("/v1/chat/completions", body))[0]


def first_difference(got, wanted):
    for number, (a, b) in enumerate(zip(got, wanted)):
        if a != b:
            return f"request {number}: {json.dumps(request(number))[:300]}\n got    {json.dumps(a)[:1500]}\n wanted {json.dumps(b)[:1500]}"
    return ""


def concurrent_streams():
    bodies = [request(n) for n in range(STREAMS)]
    began = time.monotonic()
    with_prompts = 0
    server = Server("--disable-radix-cache", "--threads", 1)
    alone = []
    for body in bodies:
        answer = server.post("/v1/chat/completions", body)
        with_prompts += answer["usage"]["total_tokens"]
        alone.append(whole_chat(answer))
    server.stop()
    print(f"{STREAMS} answers alone, one thread: {time.monotonic() - began:.1f} s, {with_prompts} tokens")
    check(len({json.dumps(a, sort_keys=True) for a in alone}) > STREAMS // 2, "the answers are not varied")
    room = with_prompts * 10 // STREAMS  # for ten of them
    settings = [("as it starts", []), ("no prefix cache, NGRAM, chunks of 64", ["--disable-radix-cache", "--speculative-algorithm", "NGRAM", "--chunked-prefill-size", 64]),
                ("chunks of 16", ["--chunked-prefill-size", 16]), ("NGRAM", ["--speculative-algorithm", "NGRAM"]),
                ("memory for ten", ["--max-total-tokens", room]),
                ("memory for ten, NGRAM, chunks of 16", ["--max-total-tokens", room, "--speculative-algorithm", "NGRAM", "--chunked-prefill-size", 16])]
    if SANITIZED:
        settings = [settings[0], settings[1], settings[-1]]
    for name, flags in settings:
        began = time.monotonic()
        server = Server(*flags)
        together = at_once([lambda body=body: stream(server, body) for body in bodies])
        seconds = time.monotonic() - began
        check(together == alone, f"{name}: a stream among {STREAMS} differs from its run alone\n" + first_difference(together, alone))
        stats = server.stats()
        if name == "as it starts":  # once more, everything cached now
            again = at_once([lambda body=body: stream(server, body) for body in bodies])
            check(again == alone, "cached: a stream differs from its run alone\n" + first_difference(again, alone))
            check(server.stats()["prompt_tokens_cached"] > stats["prompt_tokens"] // 2, "the second round took its prompts from the cache")
        check(stats["finished"] + stats["aborted"] == stats["requests"] >= STREAMS and stats["running"] == stats["queued"] == 0, f"{name}: all finished: {stats}")  # aborted: by stop strings
        check(server.stop() == 0, "the server ends well")
        print(f"{STREAMS} streams, {name}: {seconds:.1f} s, preemptions {stats['preemptions']}, drafts {stats['accepted_tokens']}/{stats['draft_tokens']}")


def preemption(server):
    """Answers that outgrow the memory which they were let in with: some are put back and computed again."""
    bodies = [{"prompt": f"{n} + {n} =", "temperature": n % 2, "seed": n, "max_tokens": 100 + n, "ignore_eos": True, "logprobs": 1} for n in range(12)]
    alone = [server.post("/v1/completions", body)["choices"] for body in bodies]
    small = Server("--max-total-tokens", 300)
    together = at_once([lambda body=body: small.post("/v1/completions", body)["choices"] for body in bodies])
    check(together == alone, "answers that were put back differ from their runs alone")
    preemptions = small.stats()["preemptions"]
    check(preemptions > 3, f"memory for 300 tokens wants preemptions, not {preemptions}")
    check(small.stop() == 0, "the server ends well")
    print(f"12 answers in memory for 2: {preemptions} preemptions")


def seeds(server):
    body = {"messages": [{"role": "user", "content": "Tell me about Norway."}], "temperature": 2, "top_p": 1, "top_k": -1, "max_tokens": 24, "seed": 7}
    path = "/v1/chat/completions"
    alone = whole_chat(server.post(path, body))
    others = [{**body, "seed": 100 + n, "messages": [{"role": "user", "content": f"What is {n} plus 3?"}]} for n in range(20)]
    mixed = at_once([lambda b=b: stream(server, b) for b in [body, *others, body]])
    check(mixed[0] == alone and mixed[-1] == alone, "a seed gives its text in any batch")
    check(len({json.dumps(m) for m in mixed}) > 15, "seeds differ")
    many = whole_chat(server.post(path, {**body, "n": 4}))
    check(many[0] == alone[0], "the first of n choices is the one of n=1")
    check(len({json.dumps(c) for c in many.values()}) == 4, "n choices differ")
    check(stream(server, {**body, "n": 4}) == many, "n choices streamed are those of the whole")
    unseeded = at_once([lambda: stream(server, {k: v for k, v in body.items() if k != "seed"}) for _ in range(4)])
    check(len({json.dumps(u) for u in unseeded}) > 1, "without a seed answers differ")


def log_softmax(row):
    top = max(row)
    total = math.log(sum(math.exp(x - top) for x in row)) + top
    return [x - total for x in row]


def logits_of(ids):
    folder = scratch()
    pathlib.Path(folder / "ids.json").write_text(json.dumps([ids]))
    run("logits", MODEL, "--ids", folder / "ids.json", "--output", folder / "logits.safetensors")
    dtype, shape, data = tensors(folder)["logits"]
    check(dtype == "F32" and shape[1] == len(ids), f"logits are {dtype} {shape}")
    values = struct.unpack(f"<{shape[1] * shape[2]}f", data)
    return [log_softmax(values[t * shape[2]:(t + 1) * shape[2]]) for t in range(shape[1])]


def logprobs(server):
    """As lm_eval asks: echo and logprobs, generating a token that is not looked at; then the other routes' logprobs of the same tokens."""
    text = "The capital of Norway is Oslo. The capital of France is Paris, and 2 plus 2 is 4."
    ids = server.post("/tokenize", {"prompt": text})["tokens"]
    wanted = logits_of(ids)
    whole = server.post("/v1/completions", {"prompt": ids, "echo": True, "logprobs": 3, "max_tokens": 1, "temperature": 0})["choices"][0]
    lists = whole["logprobs"]
    check(len(lists["token_logprobs"]) == len(ids) + 1 and lists["token_logprobs"][0] is None, "a logprob for each token but the first")
    worst = max(abs(got - wanted[t][ids[t + 1]]) for t, got in enumerate(lists["token_logprobs"][1:len(ids)]))
    worst = max(worst, abs(lists["token_logprobs"][-1] - max(wanted[-1])))
    tops = max(abs(a - b) for t in range(len(ids)) for a, b in zip(sorted(lists["top_logprobs"][t + 1].values(), reverse=True)[:3], sorted(wanted[t], reverse=True)[:3]))
    check(worst < 1e-4 and tops < 1e-4, f"logprobs differ from `tetrad logits` by {worst}, {tops}")
    check(whole["text"].startswith(text) and "".join(lists["tokens"][:len(ids)]) == text, "tokens make up the text")
    split = server.post("/v1/completions", {"prompt": "na\u00efve \u5ac7 \U0001f600 end", "echo": True, "logprobs": 0, "max_tokens": 0})["choices"][0]
    for token, offset in zip(split["logprobs"]["tokens"], split["logprobs"]["text_offset"]):
        check(token.startswith("bytes:") or split["text"][offset:].startswith(token), f"text_offset {offset} of {token!r} in {split['text']!r}")
    native = server.post("/generate", {"input_ids": ids, "return_logprob": True, "logprob_start_len": 0, "sampling_params": {"max_new_tokens": 1, "temperature": 0}})["meta_info"]
    check([t[0] for t in native["input_token_logprobs"]] == lists["token_logprobs"][:-1], "/generate's are the same")
    check(native["output_token_logprobs"][0][0] == lists["token_logprobs"][-1], "/generate's first is the same")
    pieces = [c["choices"][0] for c in server.events("/v1/completions", {"prompt": ids, "echo": True, "logprobs": 3, "max_tokens": 8, "temperature": 0}) if c["choices"]]
    long = server.post("/v1/completions", {"prompt": ids, "echo": True, "logprobs": 3, "max_tokens": 8, "temperature": 0})["choices"][0]
    check("".join(p["text"] for p in pieces) == long["text"], "a stream's text is the whole's")
    for key in ("tokens", "token_logprobs", "text_offset", "top_logprobs"):
        check([x for p in pieces if p["logprobs"] for x in p["logprobs"][key]] == long["logprobs"][key], f"a stream's {key} are the whole's")
    print(f"logprobs of {len(ids)} tokens: largest difference from `tetrad logits` {max(worst, tops):.2g}")


def main():
    "--quick" in sys.argv or concurrent_streams()
    server = Server("--served-model-name", "tiny")
    preemption(server)
    seeds(server)
    logprobs(server)
    check(server.stop() == 0, "the server ends well")


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.1f} s")
