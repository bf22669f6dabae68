"""A headless Chromium driven over its debugging pipe (DevTools protocol, JSON messages ended by NUL), standard library only."""
import atexit
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

NAMES = ("chromium", "google-chrome", "chrome", "chromium-browser", "google-chrome-stable")
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), "Backspace": (8, "")}
SHIFT, CONTROL = 8, 2


def find():
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page. Events are kept in `events`; calls and waits raise when nothing comes in time."""

    def __init__(self, program, width=1280, height=800, limit=30.0):
        self.limit, self.events, self.answers, self.next_id = limit, [], {}, 0
        self.changed = threading.Condition()
        self.profile = tempfile.mkdtemp(prefix="tetrad-browser-")
        to_read, self.writer = self._pipe()
        self.reader, to_write = self._pipe()

        def redirect():
            os.dup2(to_read, 3)
            os.dup2(to_write, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--lang=en",
             f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=redirect, start_new_session=True)
        os.close(to_read)
        os.close(to_write)
        atexit.register(self.close)
        threading.Thread(target=self._receive, daemon=True).start()
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.resize(width, height)

    @staticmethod
    def _pipe():
        """Both ends above 9, so that putting them at 3 and 4 in the child overwrites neither."""
        ends = []
        for end in os.pipe():
            ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
            os.close(end)
        return ends

    def _receive(self):
        rest = b""
        while True:
            try:
                data = os.read(self.reader, 1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            *messages, rest = (rest + data).split(b"\0")
            with self.changed:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self.answers[message["id"]] = message
                    else:
                        self.events.append(message)
                        if message["method"] == "Page.javascriptDialogOpening":  # would block the page; the test reports it
                            self._send("Page.handleJavaScriptDialog", {"accept": False})
                self.changed.notify_all()

    def _send(self, method, params):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        return self.next_id

    def call(self, method, **params):
        with self.changed:
            number = self._send(method, params)
            if not self.changed.wait_for(lambda: number in self.answers, self.limit):
                raise TimeoutError(f"{method}: no answer")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def seen(self, method):
        with self.changed:
            return [event["params"] for event in self.events if event["method"] == method]

    def js(self, expression):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(f"{expression[:200]}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def wait(self, expression, what=None):
        """Until the expression is true."""
        end = time.monotonic() + self.limit
        while True:
            value = self.js(f"((value) => value instanceof Node || value)({expression})")
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"{what or expression}: not so after {self.limit:.0f} s; the page says: {self.js('document.body.innerText')[-600:]!r}")
            time.sleep(0.03)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")

    def reload(self):
        self.js("window.beforeReload = true")
        self.call("Page.reload")
        self.wait("!window.beforeReload && document.readyState === 'complete'")

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, on):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, name, modifiers=0):
        code, text = KEYS[name]
        common = {"key": name, "code": name, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, selector):
        """A real mouse click in the middle of the first element that the selector finds."""
        where = json.dumps(selector)
        self.js(f"document.querySelector({where}).scrollIntoView({{block: 'nearest'}})")
        box = self.js(f"(({{x, y, width, height}}) => ({{x: x + width / 2, y: y + height / 2}}))(document.querySelector({where}).getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box["x"], y=box["y"], button="left", clickCount=1)

    def screenshot(self, path):
        import base64
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
