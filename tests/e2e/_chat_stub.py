"""A server with scripted answers for the test of the chat page: what it streams depends on the last message's text."""
import http.server
import json
import threading
import time

CSP = ("default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


class Stub:
    """`scripts`: text of the last message -> function(answer) that streams; `key`: what requests must bring, or None."""

    def __init__(self, page, scripts):
        self.page, self.scripts, self.key = page, scripts, None
        self.requests = []  # bodies of the chat requests
        self.cut = threading.Event()  # a client went away in the middle of an answer
        self.gate = threading.Semaphore(0)  # answers wait here for the test
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, status, body, kind="application/json"):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                if kind.startswith("text/html"):
                    self.send_header("Content-Security-Policy", CSP)
                self.end_headers()
                self.wfile.write(data)

            def error(self, status, message):
                self.reply(status, {"error": {"message": message, "type": "x", "param": None, "code": None}})

            def refused(self):
                if stub.key is None or self.headers.get("Authorization") == "Bearer " + stub.key:
                    return False
                self.error(401, "this server wants a key: Authorization: Bearer KEY")
                return True

            def do_GET(self):
                if self.path == "/":
                    self.reply(200, stub.page, "text/html; charset=utf-8")
                elif self.refused():
                    pass
                elif self.path == "/v1/models":
                    self.reply(200, {"object": "list", "data": [{"id": "scripted-model", "object": "model", "max_model_len": 32768}]})
                else:
                    self.error(404, "no such path")

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.refused():
                    return
                stub.requests.append(body)
                script = stub.scripts.get(body["messages"][-1]["content"], stub.scripts["otherwise"])
                try:
                    script(Answer(self, stub, body))
                except (BrokenPipeError, ConnectionResetError):
                    stub.cut.set()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


class Answer:
    def __init__(self, handler, stub, body):
        self.handler, self.stub, self.body, self.begun, self.tokens = handler, stub, body, False, 0

    def error(self, status, message):
        self.handler.error(status, message)

    def raw(self, data):
        if not self.begun:
            self.begun = True
            self.handler.send_response(200)
            self.handler.send_header("Content-Type", "text/event-stream")
            self.handler.end_headers()
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def event(self, body):
        self.raw(b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n")

    def usage(self):
        return {"prompt_tokens": 1500, "completion_tokens": self.tokens, "total_tokens": 1500 + self.tokens, "prompt_tokens_details": {"cached_tokens": 1024}}

    def delta(self, **delta):
        self.tokens += 1
        self.event({"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": self.usage()})

    def text(self, text, size=None):
        """As one delta, or in pieces of `size` characters."""
        for at in range(0, len(text), size or max(1, len(text))):
            self.delta(content=text[at:at + size] if size else text)

    def call(self, index, name, arguments, size=7):
        self.delta(tool_calls=[{"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}])
        for at in range(0, len(arguments), size):
            self.delta(tool_calls=[{"index": index, "function": {"arguments": arguments[at:at + size]}}])

    def wait(self):
        if not self.stub.gate.acquire(timeout=60):
            raise TimeoutError("the test never let the answer go on")

    def endless(self):
        for number in range(100000):
            self.text(f"word{number} ")
            time.sleep(0.01)

    def end(self, reason="stop"):
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": None})
        self.event({"choices": [], "usage": self.usage()})
        self.raw(b"data: [DONE]\n\n")
