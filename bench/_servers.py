"""Servers that the load runs against: started on a free port of 127.0.0.1, awaited, stopped."""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request


class Target:
    """Where requests go; also a server that somebody else runs."""

    def __init__(self, host, port, name, vocabulary):
        self.host, self.port, self.name, self.vocabulary = host, port, name, vocabulary


def target_of(url, name, vocabulary):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise SystemExit(f"--url: {url}: want http://HOST:PORT")
    return Target(parts.hostname, parts.port or 80, name, vocabulary)


def vocabulary_of(model):
    """Ids below both the model's rows and the special tokens at the end of its tokenizer; MiniMax's stand after the ordinary ones."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    special = [value for key, value in config.items() if key in ("bos_token_id", "eos_token_id") and isinstance(value, int) and value > 1000]
    tokenizer = model / "tokenizer.json"
    if tokenizer.exists():
        special += [t["id"] for t in json.loads(tokenizer.read_text(encoding="utf-8")).get("added_tokens", []) if t["id"] > 1000]
    return min([config["vocab_size"], *special])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running(Target):
    """A server process, ready when the block begins, gone when it ends."""

    def __init__(self, command, name, vocabulary, seconds=300):
        super().__init__("127.0.0.1", free_port(), name, vocabulary)
        self.command = [*map(str, command), "--host", "127.0.0.1", "--port", str(self.port)]
        self.seconds = seconds

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends with this program
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://{self.host}:{self.port}/health", timeout=5):
                    return self
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        self.__exit__()
        raise SystemExit(f"no server from {' '.join(self.command)}:\n{self.text[-2000:]}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.seek(0)
        self.text = self.log.read()
        self.log.close()


def tetrad_server(tetrad, model, threads, *flags):
    model = pathlib.Path(model)
    return Running([tetrad, "serve", model, "--threads", threads, "--served-model-name", "model", "--log-level", "error", *flags], "model", vocabulary_of(model))
