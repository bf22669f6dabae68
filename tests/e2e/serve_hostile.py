#!/usr/bin/env python3
"""A server among clients that are wrong, hostile, slow or gone: every one gets what its API has for it, nobody else notices, and nothing is left behind."""
import json
import socket
import sys
import time

from _common import SANITIZED, check
from _hostile_cases import CHAT, GOOD, MESSAGES, NATIVE, QUESTION, TEXT, all_cases
from _server import Server, at_once, receive, until

GOOD_JSON = json.dumps(GOOD[CHAT]).encode()


def shape_fault(answer, path, field):
    """What is wrong with an error's body, or nothing."""
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return "no JSON"
    body = json.loads(answer.body)
    if path.startswith(MESSAGES):
        if set(body) - {"request_id"} != {"type", "error"} or body["type"] != "error" or set(body["error"]) != {"type", "message"}:
            return "not Anthropic's shape"
        return None if not field or field in body["error"]["message"] else f"the message does not name {field}"
    if set(body) != {"error"} or set(body["error"]) != {"message", "type", "param", "code"}:
        return "not OpenAI's shape"
    error = body["error"]
    if not isinstance(error["message"], str) or not error["message"] or "\n" in error["message"] or len(error["message"]) > 2000 or not isinstance(error["type"], str):
        return "message or type"
    if field == "" and error["param"] is not None:
        return "param is not null"
    return None if not field or str(error["param"]).split("[")[0].startswith(field) else f"param is not {field}"


def ends_well(server):
    status = server.stop()
    check(status == 0, f"the server ends with {status}: {server.log()[-3000:]}")


def table(server):
    """Each case of _hostile_cases, on one connection after another's."""
    count, faults = 0, []
    for name, path, body, wanted, field in all_cases():
        count += 1
        try:
            answer = server.ask("POST", path, body, timeout=30)
        except OSError as error:
            faults.append(f"{path} {name}: {error!r}")
            if not server.alive():
                break
            continue
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        fault = None if answer.status in wanted else f"status {answer.status}, not {wanted}"
        if answer.status != 200:
            fault = fault or shape_fault(answer, path, field)
        if fault:
            faults.append(f"{path} {name}: {fault}: {answer.body[:300].decode(errors='replace')}")
    check(not faults, f"{len(faults)} of {count} requests:\n" + "\n".join(faults[:80]))
    print(f"{count} malformed, hostile or odd requests")


def head(method="POST", path=CHAT, headers=(), length=None, body=b"", version="HTTP/1.1"):
    lines = [f"{method} {path} {version}".encode(), b"Host: x", b"Content-Type: application/json", b"Connection: close"]
    lines += [h if isinstance(h, bytes) else h.encode() for h in headers]
    if length is not None:
        lines.append(b"Content-Length: " + str(length).encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(body, size=1 << 16):
    for at in range(0, len(body), size):
        piece = body[at:at + size]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def status_of(received):
    return int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.1 ") else None


def transport(server):
    """Below JSON: heads, framing, sizes."""
    size = len(GOOD_JSON)
    big = b" " * (33 << 20)
    te = "Transfer-Encoding: chunked"
    cases = [
        ("well-formed", head(length=size, body=GOOD_JSON), 200),
        ("well-formed, in chunks", [head(headers=[te]), *chunked(GOOD_JSON, 5)], 200),
        ("byte by byte", [bytes([b]) for b in head(length=size, body=GOOD_JSON)], 200),
        ("HTTP/1.0", head(length=size, body=GOOD_JSON, version="HTTP/1.0"), 200),
        ("absolute target", head(path="http://x" + CHAT, length=size, body=GOOD_JSON), 200),
        ("both length and chunks", [head(headers=[te], length=size), *chunked(GOOD_JSON)], 400),
        ("smuggled request", head(headers=[te], length=6, body=b"0\r\n\r\nG"), 400),
        ("two lengths", head(headers=[f"Content-Length: {size + 1}"], length=size, body=GOOD_JSON), 400),
        ("length of letters", head(length="ten", body=GOOD_JSON), 400),
        ("negative length", head(length=-1, body=GOOD_JSON), 400),
        ("signed length", head(length=f"+{size}", body=GOOD_JSON), 400),
        ("length beyond 64 bits", head(length=2 ** 70, body=GOOD_JSON), (400, 413)),
        ("unknown coding", head(headers=["Transfer-Encoding: gzip"], body=GOOD_JSON), 400),
        ("chunked twice", [head(headers=["Transfer-Encoding: chunked, chunked"]), *chunked(GOOD_JSON)], 400),
        ("chunked in disguise", [head(headers=["Transfer-Encoding: xchunked"]), *chunked(GOOD_JSON)], 400),
        ("two codings", [head(headers=[te, "Transfer-Encoding: identity"]), *chunked(GOOD_JSON)], 400),
        ("space before the colon", head(headers=["Transfer-Encoding : chunked"], length=size, body=GOOD_JSON), 400),
        ("bad chunk size", [head(headers=[te]), b"zz\r\nabc\r\n"], 400),
        ("chunk size beyond 64 bits", [head(headers=[te]), b"f" * 17 + b"\r\nabc\r\n"], 400),
        ("a chunk longer than it says", [head(headers=[te]), b"2\r\nabcdef\r\n0\r\n\r\n"], 400),
        ("a huge chunk", [head(headers=[te]), b"7fffffffffffffff\r\nabc"], (400, 413)),
        ("33 MB announced", head(length=33 << 20), 413),
        ("33 MB announced and sent", head(length=33 << 20, body=big), 413),
        ("33 MB unannounced", [head(headers=[te]), *chunked(big)], 413),
        ("33 MB, asked before", head(headers=["Expect: 100-continue"], length=33 << 20), 413),
        ("form data", head(headers=["Content-Type: multipart/form-data; boundary=x"], length=0).replace(b"Content-Type: application/json\r\n", b""), 415),
        ("form fields", head(headers=["Content-Type: application/x-www-form-urlencoded"], length=3, body=b"a=b").replace(b"Content-Type: application/json\r\n", b""), 415),
        ("compressed", head(headers=["Content-Encoding: gzip"], length=size, body=GOOD_JSON), 415),
        ("a header of 70 KB", head(headers=["X: " + "a" * 70_000], length=size, body=GOOD_JSON), 431),
        ("10,000 headers", head(headers=[f"X{i}: {i}" for i in range(10_000)], length=size, body=GOOD_JSON), 431),
        ("a target of 70 KB", head(path="/" + "a" * 70_000), 431),
        ("a method of 70 KB", head(method="A" * 70_000), (400, 431)),
        ("headers without end", [b"GET / HTTP/1.1\r\n"] + [b"X: " + b"a" * 1000 + b"\r\n"] * 100, 431),
        ("zero byte in a header", head(headers=[b"X: a\0b"], length=size, body=GOOD_JSON), 400),
        ("bare CR in a header", head(headers=[b"X: a\rb"], length=size, body=GOOD_JSON), 400),
        ("no colon", head(headers=["nonsense"], length=size, body=GOOD_JSON), 400),
        ("no version", b"GET /health\r\n\r\n", 400),
        ("HTTP/9.9", head(version="HTTP/9.9"), (400, 505)),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
        ("noise", bytes(range(256)) * 10, 400),
        ("a target without slash", head(method="GET", path="health"), 400),
        ("bad percent code", head(method="GET", path="/%zz"), 400),
        ("zero byte by percent code", head(method="GET", path="/health%00"), 404),
        ("line feed by percent code", head(method="GET", path="/%0d%0aX:%20y"), 404),
        ("out of the tree", head(method="GET", path="/../../etc/passwd"), 404),
        ("proxying", head(method="CONNECT", path="example.com:443"), (400, 404, 405)),
        ("unknown path", head(path="/v2/chat", length=size, body=GOOD_JSON), 404),
        ("trailing slash", head(path=CHAT + "/", length=size, body=GOOD_JSON), 404),
        ("wrong method", head(method="GET"), 405), ("wrong method on Anthropic's", head(method="GET", path=MESSAGES), 405), ("DELETE", head(method="DELETE"), 405), ("PUT", head(method="PUT", length=size, body=GOOD_JSON), 405),
        ("unknown method", head(method="BREW"), 405), ("POST to /health", head(path="/health", length=0), 405), ("TRACE", head(method="TRACE"), 405), ("OPTIONS", head(method="OPTIONS"), 204),
    ]
    faults = []
    for name, data, wanted in cases:
        received = server.raw(data, timeout=20)
        status = status_of(received)
        fault = None if status in (wanted if isinstance(wanted, tuple) else (wanted,)) else f"{received[:200]!r}, not {wanted}"
        if not fault and status >= 400:
            top, _, body = received.partition(b"\r\n\r\n")
            try:
                error = json.loads(body)["error"]
                fault = None if {"message", "type"} <= set(error) else f"no error body: {body[:200]!r}"
            except (ValueError, KeyError, TypeError):
                fault = f"no error body: {body[:200]!r}"
            if status == 405 and b"\r\nAllow: " not in top:
                fault = "405 without Allow"
        if fault:
            faults.append(f"{name}: {fault}")
    check(not faults, f"{len(faults)} of {len(cases)}:\n" + "\n".join(faults))
    for index, (first, wanted) in enumerate(((head(method="HEAD", path="/health"), 200), (head(method="HEAD", path="/nowhere"), 404))):
        received = server.raw(first)
        check(status_of(received) == wanted and received.endswith(b"\r\n\r\n"), f"HEAD {index}: {received!r}")
    began = time.monotonic()
    check(status_of(server.raw(head(length=33 << 20))) == 413 and time.monotonic() - began < 7, "413 comes at once")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(head(headers=["Expect: 100-continue"], length=size))
        check(receive(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n", "100 Continue")
        sock.sendall(GOOD_JSON)
        check(status_of(receive(sock)) == 200, "answer after 100 Continue")
    keep = head(length=size, body=GOOD_JSON).replace(b"Connection: close\r\n", b"")
    received = server.raw(keep * 3 + head(length=size, body=GOOD_JSON), timeout=20)
    check(received.count(b"HTTP/1.1 200") == 4, f"four requests sent at once get four answers: {received.count(b'HTTP/1.1 200')}")
    print(f"{len(cases)} malformed, hostile or odd messages")


class SlowClients:
    """200 connections that send next to nothing: half heads, half bodies that were announced as large, nothing at all."""

    def __init__(self, server):
        self.began = time.monotonic()
        kinds = [b"", b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ", head(length=30 << 20, body=b'{"messages":'), head(headers=["Transfer-Encoding: chunked"], body=b"5\r\n{")]
        self.socks = []
        for i in range(200):
            sock = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            sock.sendall(kinds[i % len(kinds)])
            self.socks.append(sock)

    def drip(self):
        for i, sock in enumerate(self.socks):
            if i % 4:
                try:
                    sock.sendall(b"1" if i % 4 == 1 else b" ")
                except OSError:
                    pass

    def check_heads_end(self):
        """A head that never ends is answered 408, 20 s after it began."""
        time.sleep(max(0.0, 21 - (time.monotonic() - self.began)))
        slow = self.socks[1]
        slow.settimeout(5)
        check(status_of(receive(slow)) == 408, "a head that never ends gets 408")

    def close(self):
        for sock in self.socks:
            sock.close()


def while_slow(server, slow):
    worst = 0.0
    for number in range(5):
        slow.drip()
        began = time.monotonic()
        server.post(CHAT, GOOD[CHAT], timeout=20)
        worst = max(worst, time.monotonic() - began)
    check(worst < 5, f"200 slow clients hold up others: {worst:.1f} s")
    big = {**GOOD[CHAT], "user": "x" * (8 << 20)}
    check(all(a.status == 200 for a in at_once([lambda: server.ask("POST", CHAT, big, timeout=60)] * 4)), "large requests go on beside 200 slow clients")
    print(f"an answer beside 200 slow clients: at most {worst * 1000:.0f} ms")


def start_streams(server, count, stream=True, path=TEXT):
    socks = []
    for number in range(count):
        body = json.dumps({"prompt": f"{number} one two three", "max_tokens": 1900, "ignore_eos": True, "stream": stream}).encode()
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        sock.sendall(head(path=path, length=len(body), body=body))
        socks.append(sock)
    return socks


def disconnects():
    """Clients that leave: their requests end and their memory is free within a second, running, queued, streamed or not."""
    server = Server("--max-running-requests", 8)
    times = []
    for stream in (True, False):
        socks = start_streams(server, 8, stream)
        check(until(lambda: server.stats()["running"] == 8, 20) is not None, f"8 run: {server.stats()}")
        socks += start_streams(server, 12, stream)
        check(until(lambda: server.stats()["running"] == 8 and server.stats()["queued"] == 12, 20) is not None, f"8 run and 12 wait: {server.stats()}")
        if stream:
            for sock in socks[:8]:
                check(b"data: " in receive(sock, b"data: "), "it streams")
        for sock in socks[8:]:
            sock.close()
        times.append(until(lambda: server.stats()["queued"] == 0, 5))
        check(times[-1] is not None and times[-1] < 1, f"queued requests of clients that left end: {times[-1]} {server.stats()}")
        check(server.stats()["running"] == 8, "the others go on")
        for sock in socks[:8]:
            sock.close()
        times.append(until(lambda: server.stats()["running"] == 0, 5))
        check(times[-1] is not None and times[-1] < 1, f"requests of clients that left end: {times[-1]} {server.stats()}")
        stats = server.stats()
        check(stats["used_tokens"] == 0, f"their memory is free: {stats}")
    socks = start_streams(server, 3)  # ended by name of the request, and all at once
    check(until(lambda: server.stats()["running"] == 3, 20) is not None, "3 run")
    server.post("/abort_request", {"abort_all": True})
    check(until(lambda: server.stats()["running"] == 0, 1) is not None, "aborted")
    check(all(b'"finish_reason":"abort"' in receive(sock).replace(b" ", b"") for sock in socks), "their clients hear of it")
    ends_well(server)
    print(f"clients that left are forgotten after {', '.join(f'{t * 1000:.0f}' for t in times)} ms")


def full_queue():
    server = Server("--max-running-requests", 1, "--max-queued-requests", 2)
    socks = start_streams(server, 3)
    check(until(lambda: server.stats()["running"] + server.stats()["queued"] == 3, 20) is not None, f"1 runs, 2 wait: {server.stats()}")
    for path in (CHAT, TEXT, MESSAGES, NATIVE):
        for stream in (False, True):
            answer = server.ask("POST", path, {**GOOD[path], "stream": stream})
            check(answer.status in (503, 529) and answer.headers.get("retry-after", "").isdigit(), f"{path} when the queue is full: {answer}")
            fault = shape_fault(answer, path, None)
            check(not fault, f"{path} when the queue is full: {fault}: {answer.body}")
    check(server.get("/health").status == 200, "a full server is healthy")
    for sock in socks:
        sock.close()
    check(until(lambda: server.stats()["running"] + server.stats()["queued"] == 0, 2) is not None, "it empties")
    server.post(CHAT, GOOD[CHAT])
    ends_well(server)


def keys():
    server = Server("--api-key", "sk-one", "--api-key", "sk-two")
    json_type = {"Content-Type": "application/json"}
    good = [{"Authorization": "Bearer sk-one"}, {"Authorization": "bearer sk-two"}, {"x-api-key": "sk-one"}, {"X-API-KEY": "sk-two"}, {"Authorization": "Bearer nonsense", "x-api-key": "sk-one"}]
    bad = [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer sk-on"}, {"Authorization": "Bearer sk-onee"}, {"Authorization": "sk-one"}, {"Authorization": "Basic sk-one"}, {"x-api-key": ""},
           {"x-api-key": "sk-one,sk-two"}, {"x-api-key": "SK-ONE"}, {"Authorization": "Bearer " + "x" * 10_000}, {"Cookie": "sk-one"}]
    for path in (CHAT, MESSAGES, TEXT):
        for headers in good:
            answer = server.ask("POST", path, GOOD[path], headers=json_type | headers)
            check(answer.status == 200, f"{headers}: {answer}")
        for headers in bad:
            answer = server.ask("POST", path, GOOD[path], headers=json_type | headers)
            check(answer.status == 401 and not shape_fault(answer, path, None), f"{headers}: {answer}")
            check(json.loads(answer.body)["error"]["type"] == "authentication_error", f"{headers}: {answer}")
    for path in ("/v1/models", "/server_info", "/metrics", "/get_model_info", "/flush_cache", "/nowhere"):
        check(server.get(path).status == 401, f"{path} wants a key")
    check(server.get("/v1/models?api_key=sk-one").status == 401, "a key in the address is none")
    check(server.get("/health").status == 200 and server.get("/").status == 200, "/health and the page want none")
    check(server.ask("OPTIONS", CHAT, headers={}).status == 204, "OPTIONS wants none")
    check(status_of(server.raw(head(length=30 << 20), timeout=3)) == 401, "no key: refused before the body comes")
    check("sk-one" not in server.log(), "no key in the log")
    ends_well(server)


def memory():
    """2,000 small requests of all kinds, some wrong: resident memory grows by less than 3 %."""
    server = Server("--max-total-tokens", 4096)  # small, so that the first requests fill the prefix cache
    bodies = [(CHAT, GOOD[CHAT]), (TEXT, GOOD[TEXT]), (MESSAGES, GOOD[MESSAGES]), (NATIVE, GOOD[NATIVE]), ("/tokenize", GOOD["/tokenize"]), (CHAT, {**GOOD[CHAT], "stream": True, "logprobs": True}), (CHAT, {"messages": 5}),
              (CHAT, {**GOOD[CHAT], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]})]

    def ask(first, count):
        connection = server.connection()
        for number in range(first, first + count):
            path, body = bodies[number % len(bodies)]
            if path == CHAT and isinstance(body["messages"], list):
                body = {**body, "messages": [{"role": "user", "content": f"What is {number} plus 2?"}]}
            server.ask("POST", path, body, connection=connection)
        connection.close()

    at_once([lambda i=i: ask(i * 400, 400) for i in range(4)])
    before = server.rss()
    at_once([lambda i=i: ask(2000 + i * 500, 500) for i in range(4)])
    after = server.rss()
    check(SANITIZED or after < 1.03 * before, f"2,000 requests took resident memory from {before >> 10} to {after >> 10} KiB")
    check(server.stats()["used_tokens"] == 0, "nothing is left in use")
    ends_well(server)
    print(f"2,000 requests: resident memory from {before >> 10} to {after >> 10} KiB")


def main():
    server = Server("--served-model-name", "tiny")
    slow = SlowClients(server)
    before = server.post(CHAT, GOOD[CHAT])["choices"]
    while_slow(server, slow)
    table(server)
    transport(server)
    keys()
    full_queue()
    disconnects()
    memory()
    slow.check_heads_end()
    slow.close()
    check(server.alive() and server.post(CHAT, GOOD[CHAT])["choices"] == before, "the server lives and answers as before")
    check(until(lambda: server.stats()["used_tokens"] == 0, 2) is not None, "nothing is left in use")
    ends_well(server)


if __name__ == "__main__":
    if len(sys.argv) > 2:  # one part
        server = Server("--served-model-name", "tiny")
        part = globals()[sys.argv[2]]
        part(server) if part.__code__.co_argcount else part()
    else:
        main()
