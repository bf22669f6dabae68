"""What the scripted server of the chat page's test answers, by the text of the last message."""
import time

MARKDOWN = """# First heading

Some **bold**, *italic*, ***both***, `code **not bold**`, ~~gone~~ and snake_case_name. A [link](https://example.org/a_(b)?q=1&r=2), <https://example.net/x> and
https://example.com/bare.html. Maths: $a_1 * b_2 * c$ costs $5 and $6, \\(x^2 * y\\).

$$
\\sum_i x_i * y_i
- 1
$$

1. one
   - inner *a*
     - innermost
   - inner b

   More of one.
2. two
  - two columns in

   ```python
   def f(x):  # comment
       return "a" + 'b' * 3.5

   - not a list
   ```
3. three

- [ ] to do
- [x] done

| Name | Count | Note |
|:-----|------:|:----:|
| a `x|y` | 1 | **b** |
| c | 22 | d \\| e |

> quoted **text**
> - with a list
lazy line

---

```json
{"key": [1, true, "text\\n"]}
```
```cpp
#include <vector>
/* a comment
   of two lines */ int main() { return 0; }  // end
~~~
```

#### Last ünïcödé 😀 heading
The end.
"""

HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(2)> <iframe srcdoc="<script>alert(3)</script>"></iframe>

[a](javascript:alert(4)) [b](JaVaScRiPt:alert(5)) [c](data:text/html,<script>alert(6)</script>) [d]( java&#115;cript:alert(7)) [e](vbscript:x) [f](//evil.example/x)
[g](<javascript:alert(8)>) ![i](https://evil.example/pixel.png) ![j](javascript:alert(9)) <javascript:alert(10)> [k](\tjavascript:alert(11)) [l](java\nscript:alert(1))
[m](https://ok.example/"onmouseover="alert(12)) [n](file:///etc/passwd) [o](blob:https://x/1) [p](https://user:pw@ok.example/)

<svg onload=alert(13)><style>body{display:none}</style></svg><a href="javascript:alert(14)">x</a><form action=https://evil.example><input></form>

| <b>x</b> | [t](javascript:alert(15)) |
|---|---|
| <img src=https://evil.example/y.png> | </td></table><script>alert(16)</script> |

```"><script>alert(17)</script>
</code></pre><script>alert(18)</script>
```
- <details open ontoggle=alert(19)>
"""
# What would be slow for a careless parser, as well
HOSTILE_LONG = "*" * 3000 + "[" * 3000 + "`" * 999 + "a`" * 1000 + ">" * 2000 + "x\n\n" + "- " * 500 + "x\n\n" + "_a*b" * 1500 + "\n\n" + "|" * 3000 + "\n" + "|-" * 1500 + "|\n\n" + "$x" * 2000 + "![](" * 1000


def otherwise(answer):
    answer.text(f"You said: {answer.body['messages'][-1]['content']}")
    answer.end()


def gated(answer):
    answer.text("The first part, ")
    answer.wait()
    answer.text("and the second.")
    answer.end()


def endless(answer):
    answer.text("Begun. ")
    answer.endless()


def thoughtful(answer):
    for part in ("Let me think <b>hard</b>.\n\n", "It is ", "- 42."):
        answer.delta(reasoning_content=part)
    answer.wait()
    answer.text("The answer is **42**.")
    answer.end()


def tool(answer):
    if answer.body["messages"][-1]["role"] == "tool":
        results = [m["content"] for m in answer.body["messages"] if m["role"] == "tool"]
        answer.text("Results: " + "; ".join(results))
        return answer.end()
    answer.delta(reasoning_content="I need the weather.")
    answer.call(0, "get_weather", '{"city": "Zürich <img src=x onerror=alert(1)>", "days": [1, 2], "exact": 12345678901234567890123}')
    answer.call(1, "get_time", "{}")
    answer.end("tool_calls")


def markdown(answer):
    answer.text(MARKDOWN, 3)
    answer.end()


def hostile(answer):
    answer.delta(reasoning_content=HOSTILE)
    answer.text(HOSTILE, 5)
    answer.text("\n\n" + HOSTILE_LONG, 700)
    answer.end()


def split(answer):
    """Every byte by itself: characters, lines and events are all cut."""
    answer.text("")
    for byte in 'data: {"choices":[{"index":0,"delta":{"content":"Grüße 😀 漢字"},"finish_reason":null}]}\r\n\r\n: keep-alive\n\n'.encode():
        answer.raw(bytes([byte]))
        if byte >= 0x80:
            time.sleep(0.005)  # or the browser gets them together
    answer.end()


def edges(answer):
    """Lines whose kind shows late: each piece is on the page for a while before the next comes."""
    for piece in ("A paragraph\n#", "goes on\n---", "and on\n\nabove\ntext | x\n|-|-", "x is no table\n\n1",
                  ". one\n2", ". two\n\n3", ".5 is a number\n\n*", "*bold*", "*\n\n``", "`", "py\n"):
        answer.text(piece)
        time.sleep(0.04)
    answer.text("x = 1\n" * 40)
    answer.wait()
    answer.text('x = """2\n' * 3 + "``")
    time.sleep(0.04)
    answer.text("`\n\nEnd.")
    answer.end()


def refused(answer):
    answer.error(400, "temperature: <i>2.5</i> is above 2")


failures = {"left": 1}


def mid_stream(answer):
    answer.text("Half of it ")
    if failures["left"] > 0:
        failures["left"] -= 1
        return answer.event({"error": {"message": "the engine ran out of pages", "type": "server_error", "param": None, "code": None}})
    answer.text("and the rest.")
    answer.end()


def cut_off(answer):
    answer.text("This answer ends ")


def truncated(answer):
    answer.text("Too long to ")
    answer.end("length")


def lines(answer):
    for number in range(120):
        answer.text(f"Paragraph {number}.\n\n")
    answer.wait()
    answer.text("The last paragraph.\n\n")
    answer.wait()
    answer.end()


def ten_thousand(answer):
    """As a long answer comes: headings, lists, paragraphs, a table, and code that is half of it."""
    part = "## Part\n\n" + "Plain words with **bold** and `code` in a paragraph of some length. " * 6 + "\n\n" + "- an item of a list\n" * 12 + "\n| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 12 + "\n"
    code = "```python\n" + "def f(x):  # comment\n    return 'text' + str(x * 3.5)\n" * 400 + "```\n\n"
    answer.text(part * 20 + code + part, 4)
    answer.end()


SCRIPTS = {"otherwise": otherwise, "gated": gated, "endless": endless, "thoughtful": thoughtful, "tool": tool, "12 °C": tool, "noon": tool, "markdown": markdown,
           "hostile": hostile, "split": split, "edges": edges, "refused": refused, "mid-stream": mid_stream, "cut off": cut_off, "truncated": truncated, "lines": lines,
           "ten thousand": ten_thousand}
