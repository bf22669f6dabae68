#!/usr/bin/env python3
"""`tetrad chat`: the conversation through a pipe, its commands, and Ctrl-C on a terminal."""
import json
import os
import pty
import select
import signal
import subprocess
import time

from _common import MODEL, TETRAD, check, run, scratch

base = scratch()
lines = ["What is the capital of Norway?", "/retry", f"/save {base / 'c.jsonl'}", "/nothing", "/new", "What is \\", "7 + 5?", f"/save {base / 'd.jsonl'}", f"/save {base}/missing/e.jsonl"]
done = run("chat", MODEL, "--temperature", "0", input="\n".join(lines) + "\n")
check(done.stdout.count("Oslo.\n") >= 2, f"a thought and an answer have lines of their own, and /retry answers again: {done.stdout!r}")
check("there is no /nothing" in done.stdout and "missing" in done.stdout, "wrong commands and files are said, and the conversation goes on")
check("tokens/s" in done.stderr and "\033" not in done.stdout, "the speed goes to stderr, and colours to terminals alone")
saved = [json.loads((base / name).read_text())["messages"] for name in ("c.jsonl", "d.jsonl")]
check([m["role"] for m in saved[0]] == ["user", "assistant"] and "Oslo" in saved[0][1]["content"] and saved[0][1]["reasoning_content"], "/save writes the conversation")
check(saved[1][0]["content"] == "What is \n7 + 5?", "a line that ends with \\ goes on, and /new forgets")
rendered = run("render", MODEL, "--input", base / "c.jsonl")
check("Oslo" in rendered.stdout, "what /save writes is a conversation for the other commands")
check(run("chat", MODEL, "--top-p", "7", ok=False, input="").returncode != 0, "bad sampling settings are refused")


def read_until(master, text, seconds=30):
    seen, end = "", time.monotonic() + seconds
    while text not in seen and time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            try:
                seen += os.read(master, 4096).decode("utf-8", "replace")
            except OSError:  # the other side is gone
                break
    check(text in seen, f"{text!r} is not in {seen[-500:]!r}")
    return seen


master, slave = pty.openpty()
process = subprocess.Popen([TETRAD, "chat", str(MODEL), "--temperature", "0", "--system", "Be kind."], stdin=slave, stdout=slave, stderr=subprocess.DEVNULL, start_new_session=True)
os.close(slave)
read_until(master, "> ")
os.write(master, b"What is the capital of Norway?\n")
seen = read_until(master, "\n> ")
check("\033[2m" in seen and "\033[0m" in seen, "on a terminal the thought is dim")
os.write(master, b"Write a long story.\n")
time.sleep(0.02)
process.send_signal(signal.SIGINT)  # during the answer, or at the prompt if it was that quick
time.sleep(0.3)
if process.poll() is None:
    os.write(master, b"/quit\n")
status = process.wait(20)
check(status in (0, 130), f"it ends with 0, or 130 after Ctrl-C at the prompt: {status}")
print("chat: ok")
