#!/usr/bin/env python3
"""The chat page in headless Chromium: TETRAD [PAGE.html] [--serve].

Against a scripted server: what the page sends, shows and refuses to do. PAGE is the document that the build left (default: web/chat_page.html beside TETRAD).
With --serve, a short conversation with `tetrad serve` on the bundled model instead. Status 77 without a browser.
"""
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import _browser
import _chat_stub
from _chat_scripts import MARKDOWN, SCRIPTS
from _common import MODEL, ROOT, TETRAD, check

ANSWER = "[...document.querySelectorAll('.answer')].at(-1)"


class Page:
    """The page as a reader uses it."""

    def __init__(self, browser, stub):
        self.browser, self.stub = browser, stub

    def js(self, expression):
        return self.browser.js(expression)

    def wait(self, expression, what=None):
        return self.browser.wait(expression, what)

    def button(self, name):
        """Clicks the visible button of that accessible name, the last if there are more."""
        found = self.js("(() => {for (const b of document.querySelectorAll('.chosen')) b.classList.remove('chosen');"
                        "const all = [...document.querySelectorAll('button')].filter((b) => b.getClientRects().length && (b.ariaLabel || b.innerText.trim()) === "
                        f"{json.dumps(name)}); if (all.length) all.at(-1).classList.add('chosen'); return all.length}})()")
        check(found, f"there is no button named {name}")
        self.browser.click(".chosen")

    def has_button(self, name):
        return self.js(f"[...document.querySelectorAll('button')].some((b) => b.getClientRects().length > 0 && (b.ariaLabel || b.innerText.trim()) === {json.dumps(name)})")

    def write(self, text):
        self.js("document.querySelector('#prompt').focus()")
        self.browser.type(text)

    def send(self, text):
        self.write(text)
        self.browser.key("Enter")

    def ask(self, text):
        """Sends and waits for the end of the answer; returns its text."""
        self.send(text)
        return self.end()

    def end(self):
        self.wait("!document.querySelector('.stop')", "the answer has ended")
        return self.answer()

    def answer(self):
        return self.js(f"{ANSWER}.querySelector('.answer-body').innerText")

    def looks(self):
        """The last answer's elements, without the spans that only group lines."""
        return self.js(f"(() => {{const node = {ANSWER}.querySelector('.markdown').cloneNode(true);"
                       "for (const span of node.querySelectorAll('span:not([class]), .lines')) span.replaceWith(...span.childNodes);"
                       "return node.innerHTML})()")

    def texts(self, selector):
        return self.js(f"[...document.querySelectorAll({json.dumps(selector)})].filter((e) => e.getClientRects().length).map((e) => e.innerText.trim())")

    def fresh(self):
        self.button("New chat")
        self.wait("!document.querySelector('.answer')")


def start(page):
    check(page.js("document.activeElement.id") == "prompt", "the text box has the focus at the start")
    check(page.js("[...document.querySelectorAll('textarea, input')].filter((e) => e.getClientRects().length).length") == 1, "there is one text box")
    page.wait("document.querySelector('#model').innerText === 'scripted-model'")


def keys(page):
    page.write("line one")
    page.browser.key("Enter", _browser.SHIFT)
    check(not page.stub.requests, "Shift+Enter doesn't send")
    page.browser.type("line two")
    page.browser.key("Enter")
    check(page.end() == "You said: line one\nline two", f"Enter sends: {page.answer()!r}")
    check(page.js("document.querySelector('#prompt').value") == "", "the box is empty after sending")
    body = page.stub.requests[-1]
    check(body["messages"] == [{"role": "user", "content": "line one\nline two"}], f"the messages: {body['messages']}")
    check(body["stream"] is True and body["stream_options"]["include_usage"] is True and body["model"] == "scripted-model", f"the request: {body}")
    check("temperature" not in body and "max_tokens" not in body, "nothing is sent that wasn't set")
    page.browser.key("Enter")
    check(len(page.stub.requests) == 1, "an empty box sends nothing")
    check(page.texts(".stats")[-1].endswith("prompt 1,500, 1,024 cached"), f"usage: {page.texts('.stats')}")


def streaming(page):
    page.send("gated")
    page.wait(f"document.querySelector('.answer') && {ANSWER}.innerText.includes('The first part')", "text shows before the end")
    check(page.has_button("Stop") and not page.has_button("Send"), "Stop stands where Send was")
    check(page.js(f"{ANSWER}.querySelector('.answer-body').getAttribute('aria-busy')") == "true", "a growing answer is busy")
    page.write("next")
    page.browser.key("Enter")
    check(page.js("document.querySelector('#prompt').value") == "next", "Enter waits while an answer streams")
    page.stub.gate.release()
    check(page.end() == "The first part, and the second.", "the whole answer")
    check(page.has_button("Send") and not page.has_button("Stop"), "Send is back")
    check(page.js(f"{ANSWER}.querySelector('.answer-body').getAttribute('aria-live')") == "polite", "the answer is read out")
    check(re.match(r"2 tokens · [\d,.]+ tokens/s · first after .+ · prompt 1,500, 1,024 cached$", page.texts(".stats")[-1]), f"stats: {page.texts('.stats')}")
    page.js("document.querySelector('#prompt').value = ''")


def stop(page):
    for way in ("button", "key"):
        page.stub.cut.clear()
        page.send("endless")
        page.wait(f"{ANSWER}.innerText.includes('word3 ')")
        page.button("Stop") if way == "button" else page.browser.key("Escape")
        check(page.end().startswith("Begun. word0 word1"), "what came stays")
        check(page.stub.cut.wait(5), "the server sees that the client is gone")
        check(page.texts(".note") [-1:] == ["Stopped."] and not page.texts(".error"), "stopping is no error")
        page.fresh()


def thought(page):
    page.send("thoughtful")
    page.wait("document.querySelector('details') && document.querySelector('details').innerText.includes('It is - 42.')")
    check(page.js("document.querySelector('details').open") and page.texts("summary")[0].startswith("Thinking"), "the thought is open while it grows")
    page.stub.gate.release()
    check(page.end() == "The answer is 42.", "the thought is apart from the answer")
    check(not page.js("document.querySelector('details').open") and re.match(r"Thought for \d\.\d seconds$", page.texts("summary")[0]), f"then it folds: {page.texts('summary')}")
    check("Let me think <b>hard</b>." in page.js("document.querySelector('details').textContent"), "the thought is text")
    page.browser.click("summary")
    check(page.js("document.querySelector('details').open"), "and can be opened")
    page.ask("again")
    check(page.stub.requests[-1]["messages"][1] == {"role": "assistant", "content": "The answer is **42**.", "reasoning_content": "Let me think <b>hard</b>.\n\nIt is - 42."}, "the thought goes back with the history")
    page.fresh()


def tools(page):
    page.ask("tool")
    check(page.texts(".call-name") == ["get_weather", "get_time"], f"the calls: {page.texts('.call-name')}")
    want = '{\n  "city": "Zürich <img src=x onerror=alert(1)>",\n  "days": [\n    1,\n    2\n  ],\n  "exact": 12345678901234567890123\n}'
    check(page.texts(".call pre")[0] == want, f"the arguments, no digit lost: {page.texts('.call pre')[0]}")
    check(page.texts(".call pre")[1] == "{}", "no arguments")
    page.js("[...document.querySelectorAll('.call .text-button')][0].click()")
    check(page.texts("#mode-text") == ["Result of get_weather"], "the box takes the result")
    page.send("12 °C")
    page.button("Give its result")
    answer = page.ask("noon")
    check(answer == "Results: 12 °C; noon", f"the model goes on with the results: {answer}")
    sent = page.stub.requests[-1]["messages"]
    check([m["role"] for m in sent] == ["user", "assistant", "tool", "tool"] and sent[2]["tool_call_id"] == "call_0" and sent[1]["tool_calls"][1]["function"] == {"name": "get_time", "arguments": "{}"}, f"sent: {sent}")
    page.fresh()


def markdown(page):
    page.ask("markdown")
    inner = page.looks()
    has = lambda selector, text=None: page.js(f"[...{ANSWER}.querySelectorAll({json.dumps(selector)})].some((e) => {json.dumps(text)} === null || e.textContent === {json.dumps(text)})")
    for selector, text in (("h3", "First heading"), ("strong", "bold"), ("em", "italic"), ("strong > em", "both"), ("code", "code **not bold**"), ("del", "gone"), ("li li li", "innermost"),
                           ("li em", "a"), ("ol > li > p", "More of one."), ("ol > li:nth-child(2) li", "two columns in"), ("li pre .t-comment", "# comment"), ("li pre .t-word", "def"), ("li pre .t-call", "f"), ("ol > li:nth-child(3)", "three"),
                           ("li.task", "☑ done"), ("td code", "x|y"), ("td.right", "22"), ("td", "d | e"), ("blockquote strong", "text"), ("blockquote li", "with a listlazy line"), ("hr", None), ("pre .t-key", '"key"'),
                           ("pre .t-comment", "   of two lines */"), ("h6", "Last ünïcödé 😀 heading"), (".math", "$a_1 * b_2 * c$"), (".math", "\\(x^2 * y\\)"), ("p.math", "$$\n\\sum_i x_i * y_i\n- 1\n$$")):
        check(has(selector, text), f"Markdown: {selector} {text!r} in {inner}")
    links = page.js(f"[...{ANSWER}.querySelectorAll('a')].map((a) => a.getAttribute('href') + ' ' + a.rel)")
    check(links == [u + " noopener noreferrer nofollow" for u in ("https://example.org/a_(b)?q=1&r=2", "https://example.net/x", "https://example.com/bare.html")], f"links: {links}")
    check("costs $5 and $6" in page.answer() and "snake_case_name" in page.answer(), "money and names are left alone")
    code = page.js(f"{ANSWER}.querySelector('.code pre').textContent")
    check(code == 'def f(x):  # comment\n    return "a" + \'b\' * 3.5\n\n- not a list', f"code is verbatim: {code!r}")
    page.browser.reload()
    page.wait("document.querySelector('.answer')")
    again = page.looks()
    check(again == inner, f"streamed and whole look alike:\n{inner}\n{again}")
    check(page.stub.requests[-1]["messages"][-1]["content"] == "markdown", "reloading asks for nothing")
    page.js("navigator.clipboard.writeText = (text) => {window.copied = text}")
    page.button("Copy answer")
    check(page.wait("window.copied") == MARKDOWN, "the answer is copied as it was written")
    page.fresh()


def edges(page):
    page.send("edges")
    page.wait("document.querySelectorAll('.lines').length === 2", "code stands in groups of lines")
    page.js("window.firstLines = document.querySelector('.lines')")
    page.stub.gate.release()
    page.end()
    check(page.js("document.querySelector('.lines') === window.firstLines"), "code that has come isn't made anew")
    streamed = page.looks()
    page.browser.reload()
    whole = page.looks()
    check(streamed == whole, f"streamed and whole are the same:\n{streamed}\n{whole}")
    kinds = page.js(f"[...{ANSWER}.querySelector('.markdown').children].map((e) => e.tagName).join()")
    check(kinds == "P,P,OL,P,P,DIV,P", f"what late lines are: {kinds} in {whole}")
    page.fresh()


def hostile(page):
    before = page.js("[document.scripts.length, document.querySelectorAll('iframe, img, object, embed, style, form, input').length]")
    page.ask("hostile")
    page.browser.js("new Promise((done) => setTimeout(done, 100))")
    after = page.js("[document.scripts.length, document.querySelectorAll('iframe, img, object, embed, style, form, input').length]")
    check(before == after, f"no element came out of the model's text: {before} {after}")
    check(not page.browser.seen("Page.javascriptDialogOpening"), "nothing ran")
    hrefs = page.js(f"[...{ANSWER}.querySelectorAll('[href]:not(use)')].map((a) => a.href)")
    check(all(h.startswith("https://") for h in hrefs) and len(hrefs) < 12, f"only web links: {hrefs}")
    bad = page.js(f"[...{ANSWER}.querySelectorAll('*')].flatMap((e) => e.getAttributeNames().filter((n) => /^on|^style$|srcdoc|^src$/.test(n)))")
    check(bad == [], f"no handlers or styles: {bad}")
    check("<script>alert(1)</script>" in page.answer(), "HTML is shown as text")
    page.fresh()


def errors(page):
    page.ask("refused")
    check(page.texts(".error p") == ["temperature: <i>2.5</i> is above 2"], f"the server's words: {page.texts('.error')}")
    check(page.js(f"{ANSWER}.querySelector('.error').getAttribute('role')") == "alert", "errors are read out")
    page.fresh()
    check(page.ask("mid-stream") == "Half of it", "what came before the error stays")
    check(page.texts(".error p") == ["the engine ran out of pages"], "an error in the stream")
    page.button("Try again")
    page.wait(f"{ANSWER}.innerText.includes('and the rest.')")
    check(page.end() == "Half of it and the rest." and page.texts(".error") == [], "trying again takes the place of the failure")
    check(page.stub.requests[-1]["messages"] == [{"role": "user", "content": "mid-stream"}], "the failed answer isn't sent")
    page.button("Retry")
    check(page.end() == "Half of it and the rest." and len(page.texts(".answer")) == 1, "retry of the last answer")
    page.ask("cut off")
    check(page.texts(".error p") == ["The connection ended before the answer was complete."], f"a cut stream: {page.texts('.error')}")
    page.ask("truncated")
    check("token limit" in page.texts(".note")[-1], "finish_reason length is said")
    check(page.ask("split") == "Grüße 😀 漢字", f"bytes cut anywhere: {page.answer()!r}")
    page.fresh()


def editing(page):
    page.ask("first")
    page.ask("secnod")
    page.button("Edit")
    check(page.js("document.querySelector('#prompt').value") == "secnod" and page.texts("#mode-text") == ["Editing your last message"], "the text is in the box")
    page.browser.key("Escape")
    check(page.js("document.querySelector('#prompt').value") == "", "Escape leaves it as it was")
    page.button("Edit")
    page.js("document.querySelector('#prompt').select()")
    check(page.ask("second") == "You said: second", "the edited message is answered")
    check([m["content"] for m in page.stub.requests[-1]["messages"]] == ["first", "You said: first", "second"], "it takes the place of the old one")
    check(len(page.texts(".own")) == 2 and len(page.texts(".answer")) == 2, "on the page, too")
    page.fresh()
    page.button("Earlier chats")
    check("first" in page.texts(".chat-title"), f"the chat is kept: {page.texts('.chat-title')}")
    page.js("[...document.querySelectorAll('.chat-row')].find((b) => b.innerText.startsWith('first')).click()")
    page.wait("document.querySelectorAll('.answer').length === 2")
    page.fresh()


def settings(page):
    page.button("Settings")
    fields = {"system": "Be brief.", "temperature": "0.7", "top_p": "0.9", "top_k": "40", "min_p": "0.05", "max_tokens": "128", "seed": "7"}
    for name, value in fields.items():
        page.js(f"document.querySelector('#set-{name}').focus()")
        page.browser.type(value)
    page.button("Done")
    page.ask("with settings")
    body = page.stub.requests[-1]
    check({name: body.get(name) for name in fields if name != "system"} == {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "max_tokens": 128, "seed": 7}, f"sent: {body}")
    check(body["messages"][0] == {"role": "system", "content": "Be brief."}, "the system prompt comes first")
    page.browser.reload()
    page.button("Settings")
    check(page.js("document.querySelector('#set-top_k').value") == "40", "settings are remembered")
    page.js("document.querySelector('#set-top_p').select()")
    page.browser.type("1.5")
    check(page.texts("#set-top_p-fault") == ["Between 0 and 1."], "what is wrong is said at the field")
    page.button("Close")
    page.ask("with a fault")
    check("top_p" not in page.stub.requests[-1] and page.stub.requests[-1]["temperature"] == 0.7, "and not sent")
    page.button("Settings")
    page.button("Reset")
    page.browser.key("Escape")
    check(not page.js("document.querySelector('dialog[open]')"), "Escape closes the dialog")
    page.ask("reset")
    check(set(page.stub.requests[-1]) == {"model", "messages", "stream", "stream_options"}, "reset leaves all to the server")
    page.fresh()


def key(page):
    page.stub.key = "s3cret"
    page.send("with a key")
    page.wait("document.querySelector('input[type=password]')")
    check("wants a key" in page.texts("#key-message")[0] and page.js("document.activeElement.id") == "key", "the page asks for the key")
    page.browser.type("wrong")
    page.browser.key("Enter")
    page.wait("document.querySelector('#key-message').innerText.includes('wants a key') && !document.querySelector('.key-form button').disabled")
    page.js("document.querySelector('#key').select()")
    page.browser.type("s3cret")
    page.button("Unlock")
    page.wait("!document.querySelector('input[type=password]') && document.querySelector('.answer')")
    check(page.end() == "You said: with a key", "the message goes out with the key")
    check(page.js("sessionStorage.getItem('tetrad.key')") == "s3cret" and "s3cret" not in page.js("JSON.stringify({...localStorage})"), "the key stays in the session")
    page.js("sessionStorage.clear()")
    page.browser.reload()
    page.wait("document.querySelector('input[type=password]')", "without it the page asks at the start")
    page.stub.key = None
    page.browser.reload()
    page.wait("document.querySelector('#model').innerText === 'scripted-model'")
    page.fresh()


def scrolling(page):
    page.send("lines")
    distance = "(({scrollHeight, scrollTop, clientHeight}) => scrollHeight - scrollTop - clientHeight)(document.querySelector('#scroller'))"
    page.wait(f"{ANSWER}.innerText.includes('Paragraph 119.')")
    check(page.js(distance) < 2, "the page follows the answer")
    page.js("window.firstParagraph = document.querySelector('.markdown p')")
    box = page.js("(({x, y, width, height}) => ({x: x + width / 2, y: y + height / 2}))(document.querySelector('#scroller').getBoundingClientRect())")
    page.browser.call("Input.dispatchMouseEvent", type="mouseWheel", deltaX=0, deltaY=-400, **box)
    page.wait(f"{distance} > 300")
    page.wait(f"document.querySelector('#jump').hidden === false", "there is a way back to the end")
    page.stub.gate.release()
    page.wait(f"{ANSWER}.innerText.includes('The last paragraph.')")
    check(page.js(distance) > 300, "it stops following when the reader scrolls up")
    page.button("To the latest message")
    check(page.js(distance) < 2, "and goes on")
    page.stub.gate.release()
    page.end()
    check(page.js("document.querySelector('.markdown p') === window.firstParagraph"), "what is finished isn't made anew")
    page.fresh()


def narrow(page):
    page.browser.resize(400, 760)
    wide = "document.documentElement.scrollWidth > innerWidth || document.querySelector('#scroller').scrollWidth > document.querySelector('#scroller').clientWidth"
    for text in ("", "markdown", "tool", "refused", "hostile", "w" * 300):
        if text:
            page.ask(text)
        check(not page.js(wide), f"400 px: {text[:10]!r} scrolls sideways")
    for name in ("Settings", "Earlier chats"):
        page.button(name)
        check(not page.js(f"{wide} || document.querySelector('dialog[open] .dialog-body').scrollWidth > document.querySelector('dialog[open] .dialog-body').clientWidth"), f"400 px: {name} scrolls sideways")
        page.browser.key("Escape")
    for selector in ("#prompt", ".send", "#open-settings", "#new-chat"):
        box = page.js(f"(({{x, y, right, bottom}}) => [x, y, right, bottom])(document.querySelector('{selector}').getBoundingClientRect())")
        check(box[0] >= 0 and box[1] >= 0 and box[2] <= 400 and box[3] <= 760, f"400 px: {selector} is on the screen: {box}")
    page.browser.resize(1280, 800)
    page.fresh()


def keyboard(page):
    page.ask("tool")
    page.js("document.activeElement.blur(); document.querySelector('#scroller').focus()")
    seen, unlabelled, unmarked = set(), [], []
    for _ in range(40):
        page.browser.key("Tab")
        name, label, marked = page.js("(() => {const e = document.activeElement, s = getComputedStyle(e), c = e.closest('.composer');"
                                      "return [e.id || e.ariaLabel || e.className || e.tagName, e.ariaLabel || e.innerText || (e.labels && e.labels.length) || '', "
                                      "s.outlineStyle !== 'none' || (c && getComputedStyle(c).borderColor !== getComputedStyle(document.querySelector('.call')).borderColor)]})()")
        if name == "BODY":
            continue
        seen.add(name)
        if not label:
            unlabelled.append(name)
        if not marked:
            unmarked.append(name)
    wanted = {"new-chat", "open-chats", "open-settings", "theme", "prompt", "Copy message", "Edit", "Copy arguments", "Arguments", "Retry", "SUMMARY"}
    check(wanted <= seen, f"Tab reaches everything but {wanted - seen}: {seen}")
    check(not unlabelled and not unmarked, f"without a name: {unlabelled}; without a mark of the focus: {unmarked}")
    unnamed = page.js("[...document.querySelectorAll('button, input, textarea')].filter((e) => !(e.ariaLabel || e.innerText || e.textContent.trim() || (e.labels && e.labels.length))).length")
    check(unnamed == 0, "every control has a name")
    page.fresh()


def themes(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    page.browser.dark(False)
    light = page.js(ground)
    page.browser.dark(True)
    page.wait(f"{ground} !== '{light}'", "the page follows the system's theme")
    page.button("Light theme")
    check(page.js(ground) == light, "the other theme can be chosen")
    page.browser.reload()
    check(page.js(ground) == light and page.has_button("Dark theme"), "and is remembered")
    page.button("Dark theme")
    page.browser.dark(False)
    page.wait(f"{ground} === '{light}'", "choosing the system's theme follows it again")


CASES = (start, keys, streaming, stop, thought, tools, markdown, edges, hostile, errors, editing, settings, key, scrolling, narrow, keyboard, themes)


def check_traffic(browser, url):
    """Nothing went elsewhere, nothing failed unseen."""
    urls = [event["request"]["url"] for event in browser.seen("Network.requestWillBeSent")]
    foreign = {u for u in urls if not u.startswith((url, "data:", "about:"))}
    check(not foreign, f"requests to other places: {foreign}")
    paths = {u[len(url) - 1:] for u in urls if u.startswith(url)}
    check(paths <= {"/", "/v1/models", "/v1/chat/completions"}, f"unexpected requests: {paths}")
    check(not browser.seen("Page.javascriptDialogOpening"), "no dialog opened")
    thrown = [e["exceptionDetails"].get("exception", {}).get("description") for e in browser.seen("Runtime.exceptionThrown")]
    check(not thrown, f"exceptions: {thrown}")
    blocked = [e["entry"]["text"] for e in browser.seen("Log.entryAdded") if "Content Security Policy" in e["entry"]["text"]]
    check(not blocked, f"the page wants more than its policy: {blocked}")


def scripted(browser, document):
    stub = _chat_stub.Stub(document, SCRIPTS)
    page = Page(browser, stub)
    browser.open(stub.url)
    for case in CASES:
        begun = time.monotonic()
        case(page)
        print(f"{case.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
    check_traffic(browser, stub.url)


def served(browser):
    """The real server: the page it sends, one streamed answer, Stop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([TETRAD, "serve", str(MODEL), "--host", "127.0.0.1", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            check(server.poll() is None, f"tetrad serve ended with status {server.returncode}")
            try:
                headers = urllib.request.urlopen(url + "health", timeout=5) and urllib.request.urlopen(url, timeout=5).headers
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        else:
            check(False, "tetrad serve isn't up after a minute")
        check("default-src 'none'" in headers.get("Content-Security-Policy", ""), f"the page's policy: {headers.items()}")
        browser.open(url)
        page = Page(browser, None)
        page.wait("document.querySelector('#model').innerText !== ''")
        page.js("localStorage.setItem('tetrad.settings', JSON.stringify({max_tokens: '40', temperature: '0'}))")
        page.ask("Hello")
        check(not page.texts(".error") and re.search(r"^\d+ tokens? .*prompt [\d,]+", page.texts(".stats")[-1]), f"an answer: {page.texts('.answer')}")
        page.ask("And again")
        check("cached" in page.texts(".stats")[-1], f"the second turn finds the first in the cache: {page.texts('.stats')}")
        page.js("localStorage.setItem('tetrad.settings', JSON.stringify({max_tokens: '2000', temperature: '0'}))")
        page.js("new MutationObserver(() => document.querySelector('.stop')?.click()).observe(document.body, {childList: true, subtree: true})")  # the model is fast
        page.ask("On and on")
        check(page.texts(".note")[-1:] == ["Stopped."] and not page.texts(".error"), f"Stop: {page.texts('.answer')[-1]}")
        check_traffic(browser, url)
    finally:
        server.send_signal(signal.SIGTERM)
        check(server.wait(60) == 0, "tetrad serve ends with status 0")


def main():
    program = _browser.find()
    if program is None:
        print("skipped: no chromium")
        sys.exit(77)
    browser = _browser.Browser(program)
    if "--serve" in sys.argv:
        served(browser)
    else:
        named = [a for a in sys.argv[2:] if not a.startswith("-")]
        scripted(browser, pathlib.Path(named[0] if named else pathlib.Path(TETRAD).parent / "web" / "chat_page.html").read_bytes())
    print("chat page: all passed")


main()
