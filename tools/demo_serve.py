"""The demo's last step: serve the quantized model, ask a question with a tool over HTTP, print the answer as it streams, stop the server."""
import json
import subprocess
import sys
import time
import urllib.request

QUESTION = "Turn on the light in the kitchen."
TOOL = {"type": "function", "function": {"name": "set_light", "description": "Turn a light on or off.", "parameters": {
    "type": "object", "properties": {"room": {"type": "string"}, "on": {"type": "boolean"}}, "required": ["room", "on"]}}}


def start(tetrad, model):
    """The process and its address, once it serves."""
    server = subprocess.Popen([tetrad, "serve", str(model), "--port", "0", "--served-model-name", "tiny"], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        print(line, end="", flush=True)
        if " at http://" in line:
            return server, line.rsplit(" at ", 1)[1].strip()
    sys.exit(f"demo: the server ended with status {server.wait()}")


def stream(address, messages):
    """The answer's message, printed as it comes."""
    body = {"model": "tiny", "messages": messages, "tools": [TOOL], "temperature": 0, "stream": True}
    request = urllib.request.Request(address + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    answer, calls, last = {"role": "assistant", "content": "", "reasoning_content": ""}, [], None
    with urllib.request.urlopen(request, timeout=60) as response:
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            for choice in json.loads(line[6:])["choices"]:
                delta = choice["delta"]
                for key, label in (("reasoning_content", "thought"), ("content", "answer")):
                    if delta.get(key):
                        print(("" if last == key else ("\n" if last else "") + f"  {label:<8} ") + delta[key], end="", flush=True)
                        answer[key], last = answer[key] + delta[key], key
                for part in delta.get("tool_calls") or []:
                    if part.get("id"):
                        calls.append({"id": part["id"], "type": "function", "function": {"name": part["function"]["name"], "arguments": ""}})
                        print(("\n" if last else "") + f"  {'call':<8} {part['function']['name']} ", end="", flush=True)
                        last = "call"
                    piece = part["function"].get("arguments") or ""
                    calls[-1]["function"]["arguments"] += piece
                    print(piece, end="", flush=True)
    print()
    return {**answer, "tool_calls": calls} if calls else answer


def serve_demo(tetrad, model):
    began = time.monotonic()
    server, address = start(tetrad, model)
    try:
        print(f"$ curl {address}/v1/chat/completions -d '{{\"messages\":[{{\"role\":\"user\",\"content\":\"{QUESTION}\"}}], \"tools\":[set_light], \"stream\":true, ...}}'")
        messages = [{"role": "user", "content": QUESTION}]
        messages.append(stream(address, messages))
        if not messages[-1].get("tool_calls"):
            sys.exit("demo: the model called no tool")
        call = messages[-1]["tool_calls"][0]
        print(f"  {'result':<8} ok")
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": "ok"})
        stream(address, messages)
    finally:
        server.terminate()
        status = server.wait(timeout=30)
    if status != 0:
        sys.exit(f"demo: the server ended with status {status}")
    print(f"Started, asked twice and stopped in {time.monotonic() - began:.1f} s.")
