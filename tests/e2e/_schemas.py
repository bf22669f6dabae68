"""JSON schemas as users send them, and a validator for what they use (standard library only)."""
import json
import re


def obj(required=None, **properties):
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required, "additionalProperties": False}


def arr(items, low=0, high=4, **more):
    return {"type": "array", "items": items, "minItems": low, "maxItems": high, **more}


STRING, INTEGER, NUMBER, BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
SHORT = {"type": "string", "maxLength": 12}
POINT = obj(x=INTEGER, y=INTEGER)

SCHEMAS = {
    "flat": obj(city=SHORT, population=INTEGER),
    "boolean": obj(ok=BOOLEAN),
    "null": obj(nothing={"type": "null"}),
    "number": obj(n=NUMBER),
    "range": obj(n={"type": "integer", "minimum": 3, "maximum": 17}),
    "negative range": obj(n={"type": "integer", "minimum": -250, "maximum": -3}),
    "exclusive": obj(n={"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}),
    "enum of strings": obj(unit={"enum": ["celsius", "fahrenheit"]}),
    "enum of anything": obj(v={"enum": [1, "one", None, True]}),
    "const": obj(kind={"const": "answer"}, text=SHORT),
    "pattern": obj(phone={"type": "string", "pattern": "^[0-9]{3}-[0-9]{4}$"}),
    "pattern with choices": obj(id={"type": "string", "pattern": "^(USR|ADM)_[a-f0-9]{8}$"}),
    "date": obj(day={"type": "string", "format": "date"}),
    "uuid": obj(id={"type": "string", "format": "uuid"}),
    "string length": obj(s={"type": "string", "minLength": 5, "maxLength": 9}),
    "optional": obj(["a"], a=INTEGER, b=SHORT, c=BOOLEAN),
    "nested": obj(user=obj(name=SHORT, address=obj(street=SHORT, zip={"type": "string", "pattern": "^[0-9]{5}$"}))),
    "deep": obj(a=obj(b=obj(c=obj(d=obj(e=INTEGER))))),
    "array": obj(values=arr(INTEGER, 2, 5)),
    "array of objects": obj(points=arr(POINT, 1, 3)),
    "array of enums": obj(tags=arr({"enum": ["red", "green", "blue"]}, 1, 4)),
    "matrix": obj(m=arr(arr(INTEGER, 2, 2), 2, 2)),
    "tuple": obj(t={"type": "array", "prefixItems": [INTEGER, {"enum": ["m", "s"]}], "items": False, "minItems": 2, "maxItems": 2}),
    "$ref": {"$defs": {"point": POINT}, **obj(start={"$ref": "#/$defs/point"}, end={"$ref": "#/$defs/point"})},
    "recursive": {"$defs": {"node": obj(["v"], v={"enum": [1, 2]}, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})}, "$ref": "#/$defs/node"},
    "anyOf": obj(v={"anyOf": [{"type": "integer", "minimum": 0, "maximum": 99}, {"enum": ["none", "many"]}]}),
    "nullable": obj(v={"type": ["integer", "null"], "minimum": 0, "maximum": 1000}),
    "union of objects": {"anyOf": [obj(kind={"const": "circle"}, r=INTEGER), obj(kind={"const": "box"}, w=INTEGER, h=INTEGER)]},
    "top-level array": arr(obj(name={"enum": ["a", "b"]}, ok=BOOLEAN), 1, 3),
    "top-level enum": {"enum": ["yes", "no"]},
    "quoted keys": obj(**{"a \"b\"": BOOLEAN, "c\\d": BOOLEAN, "é": BOOLEAN}),
    "tool call": obj(name={"enum": ["set_light", "get_time"]}, arguments=obj(room={"enum": ["kitchen", "hall"]}, on=BOOLEAN)),
    "many keys": obj(**{f"key_{i}": BOOLEAN for i in range(12)}),
}

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
FORMATS = {"date": r"\d{4}-\d\d-\d\d", "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool) or isinstance(value, float) and value.is_integer()
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def faults(value, schema, root):
    """What of the schema the value doesn't fulfil."""
    if "$ref" in schema:
        yield from faults(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    types = schema.get("type", [])
    if types and not any(is_type(value, t) for t in ([types] if isinstance(types, str) else types)):
        yield f"{value!r} is no {types}"
    if "enum" in schema and json.dumps(value) not in map(json.dumps, schema["enum"]):
        yield f"{value!r} is none of {schema['enum']}"
    if "const" in schema and json.dumps(value) != json.dumps(schema["const"]):
        yield f"{value!r} is not {schema['const']!r}"
    if "anyOf" in schema and all(any(faults(value, one, root)) for one in schema["anyOf"]):
        yield f"{value!r} fits nothing of anyOf"
    if isinstance(value, dict):
        yield from object_faults(value, schema, root)
    elif isinstance(value, list):
        yield from array_faults(value, schema, root)
    elif isinstance(value, str):
        yield from string_faults(value, schema)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        bounds = (("minimum", value.__ge__), ("maximum", value.__le__), ("exclusiveMinimum", value.__gt__), ("exclusiveMaximum", value.__lt__))
        yield from (f"{value}: {key}" for key, holds in bounds if key in schema and not holds(schema[key]))


def object_faults(value, schema, root):
    yield from (f"{key} is missing" for key in schema.get("required", []) if key not in value)
    for key, member in value.items():
        if key in schema.get("properties", {}):
            yield from faults(member, schema["properties"][key], root)
        elif schema.get("additionalProperties") is False:
            yield f"{key!r} is not allowed"


def array_faults(value, schema, root):
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 1 << 30):
        yield f"{len(value)} items"
    first = schema.get("prefixItems", [])
    for item, one in zip(value, first):
        yield from faults(item, one, root)
    for item in value[len(first):]:
        yield from ["too many items"] if schema.get("items") is False else faults(item, schema.get("items", {}), root)


def string_faults(value, schema):
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 30):
        yield f"{len(value)} characters"
    for pattern in filter(None, (schema.get("pattern"), FORMATS.get(schema.get("format")))):
        if not re.search(f"^(?:{pattern})$" if pattern == FORMATS.get(schema.get("format")) else pattern, value):
            yield f"{value!r} doesn't match {pattern}"
