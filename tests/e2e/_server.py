"""A running `tetrad serve`, and the HTTP that the end-to-end tests speak to it: whole answers, event streams, raw bytes."""
import atexit
import collections
import concurrent.futures
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time

from _common import MODEL, TETRAD

Answer = collections.namedtuple("Answer", "status headers body")  # headers: lower-case names
JSON = {"Content-Type": "application/json"}


class Server:
    """Started on a free port, ready when constructed (unless wait is off); ends with the test."""

    def __init__(self, *flags, model=MODEL, port=0, wait=True):
        began = time.monotonic()
        self.command = [TETRAD, "serve", *([] if model is None else [str(model)]), *([] if port is None else ["--port", str(port)]), *map(str, flags)]
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace")
        atexit.register(self.process.kill)
        self.lines, self.ready, self.port = [], threading.Event(), None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not wait:
            return
        self.ready.wait(120)
        if self.port is None:
            sys.exit(f"FAILED: no server from {' '.join(self.command)}:\n{self.log()[-4000:]}")
        self.seconds_to_start = time.monotonic() - began

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("tetrad: serving ") and " at http://" in line:
                self.port = int(line.rsplit(":", 1)[1])
                self.ready.set()
        self.ready.set()

    def log(self):
        return "".join(self.lines)

    def alive(self):
        return self.process.poll() is None

    def wait(self, timeout=60):
        """The exit status, after all that the server printed was read."""
        status = self.process.wait(timeout)
        self._reader.join(10)
        return status

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))

    def connection(self, timeout=120):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, timeout=120, connection=None):
        """body: bytes as they are, anything else as JSON."""
        own = connection is None
        connection = connection or self.connection(timeout)
        try:
            raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, raw, JSON if headers is None else headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, headers={}, **more)

    def post(self, path, body, **more):
        """The answer's JSON; anything but 200 ends the test."""
        answer = self.ask("POST", path, body, **more)
        if answer.status != 200:
            sys.exit(f"FAILED: {path} answers {answer.status} {answer.body[:500]!r} to {json.dumps(body)[:500]}\n{self.log()[-1000:]}")
        return json.loads(answer.body)

    def events(self, path, body, headers=None, timeout=120):
        """The data of a stream's events, parsed, as they come; comments and [DONE] left out, the end of [DONE] asserted for OpenAI's."""
        connection = self.connection(timeout)
        try:
            connection.request("POST", path, json.dumps({**body, "stream": True}).encode(), headers or JSON)
            response = connection.getresponse()
            if response.status != 200:
                raise OSError(f"{path} answers {response.status} {response.read()[:500]!r}")
            done = "/messages" in path
            for line in response:
                if line.startswith(b"data: [DONE]"):
                    done = True
                elif line.startswith(b"data: "):
                    yield json.loads(line[6:])
            if not done:
                raise OSError(f"{path}: the stream ended without [DONE]")
        finally:
            connection.close()

    def stats(self):
        return json.loads(self.get("/server_info").body)["internal_states"][0]["stats"]

    def raw(self, data, timeout=10, half_close=False):
        """Sends bytes, returns all that comes back until the server closes or `timeout` passes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as sock:
            pieces = [data] if isinstance(data, bytes) else data
            try:
                for piece in pieces:
                    sock.sendall(piece)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all was sent
            return receive(sock)


def receive(sock, until=None):
    """All that comes until the other side closes, time runs out, or `until` is in it."""
    received = b""
    try:
        while until is None or until not in received:
            piece = sock.recv(1 << 16)
            if not piece:
                break
            received += piece
    except OSError:
        pass
    return received


def until(condition, seconds, step=0.01):
    """Whether it came true in that time; the seconds that it took, or None."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(step)
    return None


def at_once(jobs, threads=200):
    """Results of all callables, run concurrently."""
    with concurrent.futures.ThreadPoolExecutor(min(threads, len(jobs))) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def merge_chat(chunks):
    """What a chat stream's chunks add up to: {index: message, logprobs, finish_reason}, usage."""
    choices, usage = {}, None
    for chunk in chunks:
        if "error" in chunk:
            raise OSError(f"error in a stream: {chunk}")
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            into = choices.setdefault(choice["index"], {"content": "", "reasoning_content": "", "tool_calls": [], "logprobs": [], "finish_reason": None})
            delta = choice["delta"]
            for key in ("content", "reasoning_content"):
                into[key] += delta.get(key) or ""
            for part in delta.get("tool_calls") or []:
                if part.get("id"):
                    into["tool_calls"].append({"name": part["function"]["name"], "arguments": ""})
                into["tool_calls"][part["index"]]["arguments"] += part["function"].get("arguments") or ""
            into["logprobs"] += (choice.get("logprobs") or {}).get("content") or []
            into["finish_reason"] = choice["finish_reason"] or into["finish_reason"]
    return choices, usage


def whole_chat(answer):
    """A whole answer's choices, in merge_chat's shape."""
    choices = {}
    for choice in answer["choices"]:
        message = choice["message"]
        calls = [{"name": c["function"]["name"], "arguments": c["function"]["arguments"]} for c in message.get("tool_calls") or []]
        choices[choice["index"]] = {"content": message.get("content") or "", "reasoning_content": message.get("reasoning_content") or "", "tool_calls": calls,
                                    "logprobs": (choice.get("logprobs") or {}).get("content") or [], "finish_reason": choice["finish_reason"]}
    return choices
