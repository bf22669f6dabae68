#!/usr/bin/env python3
"""What docs/api.md promises and no unit test sees whole: budgets of thoughts with the real model, schemas of which several keywords count, launch flags."""
import json

from _common import check
from _server import Server

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HELLO = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def message(server, **fields):
    return server.post(CHAT, {"messages": HELLO, "max_tokens": 60, "temperature": 0, **fields})["choices"][0]


def refused(server, path, body, *parts):
    answer = server.ask("POST", path, body)
    error = json.loads(answer.body).get("error", {})
    check(answer.status == 400 and all(part in error["message"] for part in parts), f"{body}: {answer.status} {answer.body[:300]!r}")


def thoughts(server):
    free = message(server)["message"]
    check(free["reasoning_content"] and free["content"], f"it thinks: {free}")
    tokens = len(server.post("/tokenize", {"prompt": free["reasoning_content"]})["tokens"])
    check(tokens > 3, f"long enough to be cut: {free}")
    for field in ("thinking_token_budget", "thinking_budget_tokens"):
        short = message(server, **{field: 3})
        check(len(server.post("/tokenize", {"prompt": short["message"]["reasoning_content"]})["tokens"]) == 3, f"three tokens of thought: {short}")
        check(short["message"]["content"] and short["finish_reason"] == "stop", f"then the answer: {short}")
    check(message(server, thinking_token_budget=0)["message"]["reasoning_content"] is None, "no thought at all")
    check(message(server, thinking_token_budget=-1)["message"] == free, "no limit")
    check(message(server, thinking_token_budget=3, regex="a+b", seed=1)["message"]["content"].strip("a") == "b", "a grammar holds behind it")
    call = message(server, thinking_token_budget=1, tools=[TOOL], tool_choice="required")
    check(call["finish_reason"] == "tool_calls", f"a call, too: {call}")
    check(message(server, include_reasoning=False)["message"]["reasoning_content"] is None, "left out")
    blocks = server.post("/v1/messages", {"messages": HELLO, "max_tokens": 60, "temperature": 0, "thinking": {"type": "enabled", "budget_tokens": 2}})["content"]
    check([block["type"] for block in blocks] == ["thinking", "text"] and len(blocks[0]["thinking"]) < len(free["reasoning_content"]), f"Anthropic's budget: {blocks}")


def schemas(server):
    def value(schema, seed):
        answer = server.post(TEXT, {"prompt": "JSON: ", "json_schema": json.dumps(schema), "max_tokens": 900, "temperature": 1.5, "seed": seed})["choices"][0]
        check(answer["finish_reason"] == "stop", f"{schema}: {answer}")
        return json.loads(answer["text"])

    null = {"type": "null"}
    for seed in range(4):
        check(len(value({"type": "string", "pattern": "^é.{3}$"}, seed)) == 4, "beyond ASCII")
        check(value({"type": "string", "enum": [1, "a"]}, seed) == "a", "an enum of one type")
        check(value({"minimum": 5, "maximum": 9}, seed) >= 5, "numbers without a type")
        either = value({"type": "object", "properties": {"a": null, "b": null}, "additionalProperties": False, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, seed)
        check(either, "one of the two is required")
    for schema, part in (({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"), ({"type": "string", "pattern": "(?=a)b"}, "pattern"),
                         ({"enum": ["a"], "minLength": 3}, "minLength"), ({"type": "string", "pattern": "^\"$"}, "pattern")):
        refused(server, TEXT, {"prompt": "x", "json_schema": schema}, part)


def fields(server):
    prompt = server.post("/tokenize", {"messages": HELLO})["count"]
    answer = server.post(CHAT, {"messages": HELLO, "max_tokens": 1, "prompt_logprobs": 2})
    check(len(answer["prompt_logprobs"]) == prompt and answer["prompt_logprobs"][0] is None, f"prompt_logprobs of a chat: {answer}")
    refused(server, CHAT, {"messages": HELLO, "input_ids": [1]}, "input_ids")
    refused(server, CHAT, {"messages": HELLO, "seed": 2**63}, "seed", str(2**63 - 1))
    meta = server.post("/generate", {"text": "Hello", "sampling_params": {"max_new_tokens": 1}, "return_logprob": True, "logprob_start_len": 0})["meta_info"]
    check(len(meta["input_token_logprobs"]) == meta["prompt_tokens"], f"{meta}")
    answer = server.post("/v1/responses", {"input": "Hi", "tools": [{"type": "web_search"}], "max_output_tokens": 60, "thinking_token_budget": 1, "temperature": 0})
    check([item["type"] for item in answer["output"]] == ["reasoning", "message"], f"{answer}")
    head, get = server.ask("HEAD", "/v1/models", headers={}), server.get("/v1/models")
    check(head.headers["content-length"] == str(len(get.body)) and head.body == b"", f"HEAD says what GET has: {head}")
    check(b"\ntetrad_kv_available_tokens{" in server.get("/metrics").body, "free tokens in the metrics")


server = Server("--chunked-prefill-size", -1)
check(json.loads(server.get("/server_info").body)["chunked_prefill_size"] == 2048, "-1 means whole prompts")
thoughts(server)
schemas(server)
fields(server)
check(server.stop() == 0, "the server ends well")
for flag, value, why in (("--chunked-prefill-size", 0, "not a number above 0"), ("--max-queued-requests", -1, "not 0 or a number above")):
    server = Server(flag, value, wait=False)
    check(server.wait() == 2 and why in server.log(), f"{flag} {value}: {server.log()}")
print("serve_api: ok")
