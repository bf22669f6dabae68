#!/usr/bin/env python3
"""Structured output: every answer to a JSON schema holds to it, greedy and sampled, with and without drafts; hostile grammars end in 400."""
import json

from _common import check
from _schemas import SCHEMAS, arr, faults, obj
from _server import Server, at_once

check(len(SCHEMAS) >= 30, "30 schemas")
try:
    import jsonschema  # a second opinion, where it is installed
except ImportError:
    jsonschema = None

# The validator itself finds faults: a test that can't fail is none.
for schema, wrong in (("range", {"n": 2}), ("pattern", {"phone": "1234567"}), ("enum of anything", {"v": 1.5}), ("recursive", {"v": 1, "next": {"v": 3}}), ("tuple", {"t": [1]}),
                      ("optional", {"b": "x"}), ("flat", {"city": "x", "population": 1, "more": 1}), ("string length", {"s": "four"}), ("union of objects", {"kind": "box", "r": 1})):
    check(any(faults(wrong, SCHEMAS[schema], SCHEMAS[schema])), f"the validator accepts {wrong} for {schema}")


def ask(server, name, sampling, thinks):
    """The text, in a chat behind a thought or as a completion."""
    schema = SCHEMAS[name]
    if thinks:
        answer = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": f"Give me JSON: {name}."}], "max_tokens": 900, **sampling,
                                                      "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}})
        choice, text = answer["choices"][0], answer["choices"][0]["message"]["content"]
    else:
        answer = server.post("/v1/completions", {"prompt": f"JSON of {name}: ", "max_tokens": 900, **sampling, "json_schema": json.dumps(schema)})
        choice, text = answer["choices"][0], answer["choices"][0]["text"]
    check(choice["finish_reason"] == "stop", f"{name}: ends with {choice['finish_reason']}: {json.dumps(answer)}")
    try:
        value = json.loads(text)
    except ValueError:
        check(False, f"{name}: no JSON: {json.dumps(answer)}")
    found = list(faults(value, schema, schema))
    check(not found, f"{name}: {text}: {found}")
    if jsonschema:
        jsonschema.Draft202012Validator(schema).validate(value)
    return text


drawn = {}
for flags in ((), ("--speculative-algorithm", "NGRAM")):
    server = Server(*flags)
    for sampling, thinks in (({"temperature": 0}, True), ({"temperature": 1, "seed": 1}, True), ({"temperature": 0}, False), ({"temperature": 1.5, "seed": 2}, False)):
        texts = dict(zip(SCHEMAS, at_once([lambda name=name: ask(server, name, sampling, thinks) for name in SCHEMAS], threads=16)))
        drawn.setdefault(json.dumps([sampling, thinks]), []).append(texts)
        print(f"{' '.join(flags) or 'no drafts'}, {sampling}, {'thought first' if thinks else 'at once'}: {len(texts)} schemas, all valid")
    hostile = [{"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}} for schema in (
        {"not": {}}, {"$ref": "#/nowhere"}, {"type": "strange"},
        {"type": "string", "pattern": "(" * 500}, obj(a={"$ref": "http://example.com/schema.json"}), {"type": "object", "minProperties": 3},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"})]
    hostile += [{"regex": "((a{1000}){1000}){1000}"}, {"regex": "("}, {"ebnf": "root ::= nothing"}, {"ebnf": 'root ::= "a" ' * 5}, {"regex": "a", "ebnf": 'root ::= "a"'}]
    for fields in hostile:
        answer = server.ask("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 4, **fields}, timeout=20)
        check(answer.status == 400 and json.loads(answer.body)["error"]["message"], f"{json.dumps(fields)[:200]}: {answer.status} {answer.body[:300]!r}")
    large = {"type": "array", "items": arr(arr({"type": "integer"}, 10000, 10000), 10000, 10000), "minItems": 10000}
    answer = server.ask("POST", "/v1/completions", {"prompt": "x", "max_tokens": 4, "json_schema": json.dumps(large)}, timeout=20)
    check(answer.status == 200, f"counts cost nothing: {answer.status} {answer.body[:300]!r}")
    check(server.alive() and server.stop() == 0, "the server survives hostile grammars")
check(all(first == second for first, second in drawn.values()), "drafts change no text, greedy or sampled with a seed")
print("structured: ok")
