#!/usr/bin/env python3
"""Compares `tetrad render` with Jinja2 as transformers sets it up (pip install transformers jinja2), byte by byte.

  compare_templates.py TETRAD TEMPLATE... [--input FILE.json]... [--verbose]

Every template (a .jinja file, or a folder of them) is rendered by both with each of the conversations below: with and without
system message, tools, tool calls and their results, thoughts, parts, empty and missing content, all of Unicode, each with and
without add_generation_prompt; and with the objects of variables given as --input. The two agree when both give the same text
or both fail. A good set are the templates that llama.cpp keeps (models/templates, also inside the source distribution of
llama-cpp-python). Prints a line for each difference; exit status 1 when there is any.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    from transformers.utils.chat_template_utils import _compile_jinja_template as compile_template
except ImportError:
    sys.exit("error: the Python packages `transformers` and `jinja2` are missing\nhint: pip install transformers jinja2")

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def called(name, arguments, number=0):
    return {"id": f"call{number:05}", "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(name, description, properties, required=()):
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


WEATHER = tool("get_weather", "Current weather in a city.",
               {"city": {"type": "string", "description": "Name, e.g. \"Köln\""}, "unit": {"type": "string", "enum": ["°C", "°F"], "default": "°C"}}, ["city"])
SEARCH = tool("search", "Finds <b>pages</b> & 'more'",
              {"query": {"type": "string"}, "limit": {"type": "integer", "minimum": 1, "default": 10}, "score": {"type": ["number", "null"]},
               "tags": {"type": "array", "items": {"type": "string"}}, "filter": {"type": "object", "properties": {"lang": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}})
NOTHING = tool("ping", "", {})
HELLO = said("user", "Hello!")
SYSTEM = said("system", "You are a helpful assistant.")
ASK = said("user", "Weather in Köln and 北京?")
TWO_CALLS = [called("get_weather", {"city": "Köln", "unit": "°C"}, 1), called("get_weather", {"city": "北京"}, 2)]
ODD_ARGUMENTS = {"query": "a \"b\" <c> & 'd'\n\\e", "limit": 3, "score": 1e-7, "exact": True, "none": None, "tags": ["x", "ü", 1.5, 1e22], "filter": {"lang": None}, "empty": {}}

CONVERSATIONS = {
    "plain": {"messages": [HELLO]},
    "system": {"messages": [SYSTEM, HELLO]},
    "turns": {"messages": [SYSTEM, HELLO, said("assistant", "Hi there."), said("user", "And now?"), said("assistant", "Still here."), said("user", "Bye")]},
    "ends_with_assistant": {"messages": [HELLO, said("assistant", "Once upon a")]},
    "turns_without_system": {"messages": [HELLO, said("assistant", "  spaces \n"), said("user", "\n\nlines\n")]},
    "tools": {"messages": [SYSTEM, ASK], "tools": [WEATHER, SEARCH, NOTHING]},
    "tools_without_system": {"messages": [ASK], "tools": [WEATHER]},
    "call": {"messages": [ASK, said("assistant", "", tool_calls=[called("get_weather", {"city": "Köln"})]), said("tool", "21 °C", tool_call_id="call00000", name="get_weather")], "tools": [WEATHER]},
    "call_missing_content": {"messages": [ASK, {"role": "assistant", "tool_calls": [called("ping", {})]}, said("tool", "", tool_call_id="call00000")], "tools": [NOTHING]},
    "two_calls": {"messages": [SYSTEM, ASK, said("assistant", "Let me look.", tool_calls=TWO_CALLS), said("tool", '{"t": 21}', tool_call_id="call00001", name="get_weather"),
                               said("tool", "-3 °C", tool_call_id="call00002", name="get_weather"), said("assistant", "21 and -3 °C."), said("user", "Thanks")], "tools": [WEATHER, SEARCH]},
    "odd_arguments": {"messages": [ASK, said("assistant", None, tool_calls=[called("search", ODD_ARGUMENTS, 7)]), said("tool", {"found": 0, "pages": []}, tool_call_id="call00007", name="search"),
                                   said("user", "Hm")], "tools": [SEARCH]},
    "text_arguments": {"messages": [ASK, said("assistant", None, tool_calls=[called("search", json.dumps(ODD_ARGUMENTS), 7)]), said("tool", "[]", tool_call_id="call00007", name="search")], "tools": [SEARCH]},
    "bare_call": {"messages": [ASK, said("assistant", None, tool_calls=[{"name": "ping", "arguments": {"a": 1}}]), said("tool", "pong", name="ping")], "tools": [NOTHING["function"]]},
    "thought": {"messages": [SYSTEM, HELLO, said("assistant", "Hi.", reasoning_content="They greet.\nSo do I."), said("user", "Why?")]},
    "thought_and_call": {"messages": [ASK, said("assistant", "Wait.", reasoning_content="I need\nthe tool.", thinking="I need\nthe tool.", tool_calls=TWO_CALLS[:1]),
                                      said("tool", "21", tool_call_id="call00001", name="get_weather"), said("assistant", "It is 21.", reasoning_content="")], "tools": [WEATHER]},
    "inline_thought": {"messages": [HELLO, said("assistant", "<think>\nA thought.\n</think>\n\nAn answer."), said("user", "Go on"), said("assistant", "</think> twice </think> yes")]},
    "no_thinking": {"messages": [SYSTEM, HELLO], "enable_thinking": False, "thinking": False, "reasoning_effort": "low"},
    "thinking": {"messages": [HELLO], "enable_thinking": True, "thinking": True, "reasoning_effort": "high", "thinking_budget": 512},
    "parts": {"messages": [said("system", [{"type": "text", "text": "Be brief."}]), said("user", [{"type": "text", "text": "One"}, {"type": "text", "text": " two"}]),
                           said("assistant", [{"type": "text", "text": "Three"}]), said("user", [{"type": "text", "text": "四"}])]},
    "image": {"messages": [said("user", [{"type": "text", "text": "What is this?"}, {"type": "image", "image": "file.png"}, {"type": "image_url", "image_url": {"url": "data:,"}}])]},
    "tool_parts": {"messages": [ASK, said("assistant", "", tool_calls=TWO_CALLS[:1]), said("tool", [{"type": "text", "text": "warm"}, {"type": "text", "text": "dry"}], tool_call_id="call00001")]},
    "unicode": {"messages": [said("system", "你是一个助手。"), said("user", "Grüße 👩‍👩‍👧 🇩🇪 ñ e\u0301 \u200b\u2028|\x85|\xa0 שלום ﬁ ß İ \U0001f600"), said("assistant", "\u3000好的\u3000"), said("user", " \x1b\x00\x7f ")]},
    "markup": {"messages": [said("user", "<|im_end|> {{ x }} {% if %} {# c #} </s> [INST] &lt; \\n %s \"'"), said("assistant", "{}[]"), said("user", "\t\r\n x \r\n")]},
    "empty_texts": {"messages": [said("system", ""), said("user", ""), said("assistant", ""), said("user", " ")]},
    "none_content": {"messages": [said("user", None), said("assistant", None), said("user", "x")]},
    "no_messages": {"messages": []},
    "no_variables": {},
    "two_systems": {"messages": [SYSTEM, said("system", "Second."), HELLO]},
    "late_system": {"messages": [HELLO, said("assistant", "Yes?"), said("system", "New rule."), said("user", "Go")]},
    "developer": {"messages": [said("developer", "Rules."), HELLO]},
    "two_users": {"messages": [HELLO, said("user", "Still there?")]},
    "assistant_first": {"messages": [said("assistant", "Welcome."), HELLO]},
    "odd_role": {"messages": [said("critic", "No."), {"content": "no role"}]},
    "empty_tools": {"messages": [HELLO], "tools": []},
    "none_tools": {"messages": [HELLO], "tools": None, "documents": None},
    "functions": {"messages": [SYSTEM, ASK], "functions": [WEATHER["function"]], "date_string": "1 Jan 2025", "datetime": "2025-01-01", "tools_in_user_message": False},
    "documents": {"messages": [SYSTEM, HELLO], "documents": [{"title": "One", "text": "First."}, {"title": "Zwei", "text": "Über"}]},
    "unanswered_call": {"messages": [ASK, said("assistant", "", tool_calls=TWO_CALLS)], "tools": [WEATHER]},
    "empty_calls": {"messages": [HELLO, said("assistant", "x", tool_calls=[]), said("user", "y")]},
    "last_tool_of_many": {"messages": [ASK, said("assistant", "", tool_calls=TWO_CALLS), said("tool", "a", tool_call_id="call00001"), said("tool", "b", tool_call_id="call00002"),
                                       said("user", "More"), said("assistant", "", tool_calls=[called("ping", {}, 3)]), said("tool", "c", tool_call_id="call00003")], "tools": [WEATHER, NOTHING]},
}


def cases(extra):
    for name, variables in CONVERSATIONS.items():
        for prompt in (False, True):
            yield f"{name}{'+prompt' if prompt else ''}", {**TOKENS, **variables, "add_generation_prompt": prompt}
    for file in extra:
        yield file.name, json.loads(file.read_bytes())


def of_jinja(template, variables):
    """The text, or None and the reason."""
    try:
        return template.render(**variables), ""
    except Exception as error:  # whatever a template can raise: TypeError, KeyError, TemplateError, ...
        return None, f"{type(error).__name__}: {error}"


def of_tetrad(binary, file, input_file):
    done = subprocess.run([binary, "render", file, "--input", input_file], capture_output=True, timeout=60)
    if done.returncode == 0:
        return done.stdout.decode(), ""
    if done.returncode != 1:
        sys.exit(f"error: {binary} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return None, done.stderr.decode().strip()


def first_difference(expected, got):
    at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
    return f"at {at}: Jinja2 {expected[max(0, at - 30):at + 50]!r}, tetrad {got[max(0, at - 30):at + 50]!r}"


def compare(binary, file, variables_of, verbose):
    """Differences and failures of both."""
    template, reason = None, ""
    try:
        template = compile_template(file.read_bytes().decode())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    different = failed = 0
    for name, (variables, input_file) in variables_of.items():
        expected, why = of_jinja(template, variables) if template else (None, reason)
        got, message = of_tetrad(binary, file, input_file)
        failed += expected is None and got is None
        if expected is None and got is None and verbose:
            print(f"{file.name} {name}: both fail: Jinja2 {why!r}, tetrad {message!r}")
        if expected == got:
            continue
        different += 1
        if expected is None or got is None:
            print(f"{file.name} {name}: " + (f"Jinja2 fails: {why!r}, tetrad gives {got[:60]!r}" if expected is None else f"tetrad fails: {message!r}"))
        else:
            print(f"{file.name} {name}: {first_difference(expected, got)}")
    return different, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tetrad")
    parser.add_argument("templates", nargs="+", type=pathlib.Path)
    parser.add_argument("--input", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--verbose", action="store_true", help="also why both fail")
    options = parser.parse_args()
    files = [file for given in options.templates for file in (sorted(given.rglob("*.jinja")) if given.is_dir() else [given])]
    with tempfile.TemporaryDirectory() as folder:
        variables_of = {}
        for name, variables in cases(options.input):
            path = pathlib.Path(folder, f"{len(variables_of)}.json")
            path.write_text(json.dumps(variables))
            variables_of[name] = (json.loads(path.read_text()), path)
        different = failed = 0
        for file in files:
            counts = compare(options.tetrad, file, variables_of, options.verbose)
            different, failed = different + counts[0], failed + counts[1]
    total = len(files) * len(variables_of)
    print(f"{len(files)} templates x {len(variables_of)} inputs = {total} renders: {total - different - failed} equal, {failed} fail in both, {different} differ")
    sys.exit(1 if different else 0)


main()
