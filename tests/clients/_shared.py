"""The end-to-end tests' server and checks, for programs that need packages from PyPI."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from _common import MODEL, TETRAD, check, run, scratch  # noqa: E402,F401
from _server import Server  # noqa: E402,F401

QUESTION = [{"role": "user", "content": "What is the capital of Norway?"}]
COMMAND = [{"role": "user", "content": "Turn on the light in the kitchen."}]
LIGHT = {"type": "object", "properties": {"room": {"type": "string"}, "on": {"type": "boolean"}}, "required": ["room", "on"], "additionalProperties": False}
