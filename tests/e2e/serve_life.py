#!/usr/bin/env python3
"""A server's life: how fast it starts, launch lines made for SGLang, keys from a file, faults that it names in one line, and its end: what runs completes, what comes gets 503."""
import json
import signal
import socket
import sys
import threading
import time

from _common import MODEL, SANITIZED, check, run, scratch
from _server import Server, at_once, merge_chat, until

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
QUESTION = [{"role": "user", "content": "What is the capital of Norway?"}]
# What MiniMax-M2.7-NVFP4's users start SGLang with, put together; the port is the test's.
LAUNCH = """--served-model-name MiniMax-M2.7 --reasoning-parser minimax --tool-call-parser minimax-m2 --trust-remote-code --tp 1 --mem-fraction-static 0.85 --max-running-requests 16
 --quantization modelopt_fp4 --attention-backend flashinfer --moe-runner-backend b12x --fp4-gemm-backend b12x --enable-pcie-oneshot-allreduce --enable-torch-compile --kv-cache-dtype bf16
 --host 0.0.0.0 --cuda-graph-max-bs 16 --disable-custom-all-reduce --chunked-prefill-size 4096 --context-length 2048 --enable-metrics --log-level info --schedule-conservativeness 0.3
 --disable-cuda-graph --sampling-backend flashinfer --mamba-ssm-dtype float32 --sleep-on-idle --enable-cache-report --page-size=64 --fp8-gemm-backend cutlass --ep-size 1 --cuda-graph-bs 1 2 4 8
 --enable-hicache --max-running-requests 16""".split()


def first_token(server):
    began = time.monotonic()
    for chunk in server.events(CHAT, {"messages": QUESTION, "max_tokens": 8}):
        if chunk["choices"] and any(chunk["choices"][0]["delta"].get(key) for key in ("content", "reasoning_content")):
            return time.monotonic() - began
    return None


def starts():
    server = Server()
    first = first_token(server)
    print(f"start {server.seconds_to_start:.2f} s, first token {first:.2f} s later")
    check(server.get("/health").status == 200, "healthy")
    check(len([line for line in server.lines if "tetrad: serving " in line]) == 1, f"one line says where: {server.log()}")
    check(server.stop() == 0, "SIGTERM ends an idle server well")
    server = Server()
    check(server.stop(signal.SIGINT) == 0, "SIGINT, too")


def launch_line():
    """As for SGLang: --model-path, its own flags, flags that mean nothing here."""
    server = Server("--model-path", MODEL, "--port", 5, *LAUNCH, "--port", 0, model=None, port=None)
    body = {"model": "MiniMax-M2.7", "messages": QUESTION, "temperature": 0}
    answer = server.post(CHAT, body)
    check("Oslo" in (answer["choices"][0]["message"]["content"] or ""), f"it answers: {answer}")
    check(answer["choices"][0]["message"]["reasoning_content"], "with its thought apart")
    models = json.loads(server.get("/v1/models").body)["data"]
    check([m["id"] for m in models] == ["MiniMax-M2.7"] and models[0]["max_model_len"] == 2048, f"{models}")
    info = json.loads(server.get("/server_info").body)
    check(info["max_running_requests"] == 16 and info["chunked_prefill_size"] == 4096 and info["kv_cache_dtype"] == "bfloat16", f"{info}")
    note = [line for line in server.lines if "mean nothing here" in line]
    check(len(note) == 1 and all(flag in note[0] for flag in ("--trust-remote-code", "--enable-pcie-oneshot-allreduce", "--fp4-gemm-backend")), f"one line says which flags mean nothing: {server.log()}")
    check(server.stop() == 0, "the server ends well")
    server = Server("--served-model-name", "one", "--served-model-name", "two", "--api-key", "key", MODEL, model=None)  # a name does not swallow the model
    models = json.loads(server.ask("GET", "/v1/models", headers={"Authorization": "Bearer key"}).body)["data"]
    check([m["id"] for m in models] == ["one", "two"], f"{models}")
    server.stop()


def refuses(words, *flags, model=MODEL):
    """It ends with status 1 or 2 and one line on stderr that holds these words."""
    server = Server(*flags, model=model, wait=False)
    status = server.wait(60)
    lines = [line for line in server.lines if line.strip() and not line.startswith(("memory:", "hint:", "  "))]
    check(status in (1, 2) and all(word in server.log() for word in words), f"{flags}: status {status}: {server.log()}")
    check(len(lines) <= 2 and not any("terminate" in line or "core" in line for line in lines), f"{flags}: a line or two, not\n{server.log()}")


def faults():
    folder = scratch()
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    server = Server(port=taken.getsockname()[1], wait=False)
    status = server.wait(60)
    check(status in (1, 2) and f":{taken.getsockname()[1]}" in server.log() and "in use" in server.log(), f"a taken port: {status} {server.log()}")
    check(len([line for line in server.lines if line.startswith("tetrad:") or "error" in line.lower()]) == 1, f"a taken port is one line: {server.log()}")
    (folder / "empty").write_text("\n# none\n")
    (folder / "text").write_text("x")
    refuses(["nowhere"], model=folder / "nowhere")
    refuses(["no key"], "--api-key-file", folder / "empty")
    refuses(["missing"], "--api-key-file", folder / "missing")
    refuses(["--api-key"], "--api-key", "")
    refuses(["--no-such-flag"], "--no-such-flag")
    refuses(["fp5"], "--kv-cache-dtype", "fp5")
    refuses(["--lora-paths"], "--lora-paths", "x")  # would change what is served: not to be ignored
    refuses(["EAGLE"], "--speculative-algorithm", "EAGLE")
    refuses(["deepseek"], "--reasoning-parser", "deepseek")
    refuses(["hermes"], "--tool-call-parser", "hermes")
    refuses(["mem"], "--mem-fraction-static", "0")
    refuses(["max-total-tokens"], "--max-total-tokens", 10 ** 12)
    refuses(["GB"], "--max-total-tokens", 20_000_000)  # 82 GB of keys and values: more than the machine of a test has
    refuses(["nowhere.invalid"], "--host", "nowhere.invalid")


def key_file():
    folder = scratch()
    (folder / "keys").write_text("# ours\nsk-first\r\n\n  \nsk-second  \n")
    server = Server("--api-key-file", folder / "keys", "--metrics-open")
    for key, wanted in (("sk-first", 200), ("sk-second", 200), ("# ours", 401), ("sk-first\r", 401), ("", 401)):
        if "\r" not in key:
            status = server.ask("POST", "/tokenize", {"prompt": "x"}, headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"}).status
            check(status == wanted, f"key {key!r}: {status}")
    check(server.get("/metrics").status == 200 and server.get("/server_info").status == 401, "--metrics-open opens /metrics alone")
    check(server.stop() == 0, "the server ends well")


def under_load():
    """SIGTERM while 8 stream, 4 wait and 4 are whole: all complete with the text they have otherwise; /health and new requests get 503; then exit 0."""
    server = Server("--max-running-requests", 8)
    tokens = 120 if SANITIZED else 300  # 16 x 300 take a sanitized server as long as draining may: a minute on 2 slow cores
    bodies = [{"messages": [{"role": "user", "content": f"What is {n} plus 2?"}], "temperature": 0, "max_tokens": tokens, "ignore_eos": True} for n in range(16)]
    results = {}

    def one(number):
        if number < 12:
            results[number] = merge_chat(server.events(CHAT, bodies[number]))[0][0]
        else:
            results[number] = server.post(CHAT, bodies[number])["choices"][0]

    threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in range(16)]
    for thread in threads:
        thread.start()
    check(until(lambda: server.stats()["requests"] == 16 and server.stats()["generation_tokens"] > 50, 30) is not None, f"all are in: {server.stats()}")
    stats = server.stats()
    server.process.send_signal(signal.SIGTERM)
    check(until(lambda: server.get("/health").status == 503, 5) is not None, "/health is 503 while draining")
    refused = server.ask("POST", CHAT, bodies[0])
    check(refused.status == 503 and refused.headers.get("retry-after", "").isdigit() and set(json.loads(refused.body)["error"]) == {"message", "type", "param", "code"}, f"new requests get 503: {refused}")
    check(server.ask("POST", "/v1/messages", {**bodies[0], "max_tokens": 5}).status in (503, 529), "on Anthropic's route, too")
    check(server.alive(), "it waits for the answers")
    for thread in threads:
        thread.join(60)
    check(len(results) == 16 and all(r["finish_reason"] == "length" for r in results.values()), f"all answers completed: { {n: r['finish_reason'] for n, r in results.items()} }")
    check(server.wait(30) == 0, "then it ends with 0")
    server = Server()
    again = at_once([lambda b=b: merge_chat(server.events(CHAT, b))[0][0] for b in bodies[:12]])
    check(all(results[n] == again[n] for n in range(12)), "answers that were completed while draining are the same as ever")
    server.stop()
    print(f"SIGTERM with {stats['running']} running and {stats['queued']} waiting: all 16 answers complete")


def second_signal():
    server = Server()
    failed = []

    def one():
        try:
            for _ in server.events(TEXT, {"prompt": "x", "max_tokens": 2000, "ignore_eos": True, "repetition_penalty": 1.2}):
                pass
        except OSError as error:
            failed.append(error)
        except Exception as error:  # http.client's own, when a chunk is cut off
            failed.append(error)

    threads = [threading.Thread(target=one, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    check(until(lambda: server.stats()["running"] == 16, 20) is not None, "16 run")
    server.process.send_signal(signal.SIGTERM)
    check(until(lambda: server.get("/health").status == 503, 5) is not None, "it drains")
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    status = server.wait(10)
    seconds = time.monotonic() - began
    check(seconds < 5, f"a second signal stops within 5 s, not {seconds:.1f}")
    for thread in threads:
        thread.join(10)
    check(failed, "its clients notice")
    print(f"a second signal stops it in {seconds:.2f} s, status {status}")
    server = Server("--drain-timeout", 1)
    threads = [threading.Thread(target=one, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    check(until(lambda: server.stats()["running"] == 16, 20) is not None, "16 run")
    began = time.monotonic()
    status = server.stop()
    seconds = time.monotonic() - began
    check(status == 0 and seconds < 5, f"--drain-timeout 1 ends after 1 s with 0, not {seconds:.1f} with {status}")


def main():
    starts()
    launch_line()
    faults()
    key_file()
    under_load()
    second_signal()
    run("--version")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        globals()[sys.argv[2]]()
    else:
        main()
