"""The folder in which make_broken.py builds its broken inputs."""
import json
import pathlib
import struct

MODEL = pathlib.Path(__file__).resolve().parent.parent.parent / "models" / "tiny-minimax-m2"


def pack(header, data):
    """A safetensors file of a header (JSON value, or its bytes) and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def unpack(whole):
    (length,) = struct.unpack("<Q", whole[:8])
    return json.loads(whole[8:8 + length]), whole[8 + length:]


def edit_header(whole, change):
    header, data = unpack(whole)
    return pack(change(header), data)


class Scene:
    def __init__(self, root):
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self.cases = []

    def add(self, name, arguments, mention="", output=None):
        self.cases.append({"name": name, "arguments": [str(a) for a in arguments], "mention": mention, "output": str(output) if output else None})

    def file(self, name, content):
        path = self.root / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def model(self, name, replaced, tokenizer_only=False):
        """A copy of the bundled model (links) with some files replaced, or left out (None)."""
        path = self.root / name
        path.mkdir()
        for original in MODEL.iterdir():
            if original.is_dir() or original.name in replaced or (tokenizer_only and original.suffix == ".safetensors"):
                continue
            (path / original.name).symlink_to(original)
        for file, content in replaced.items():
            if content is not None:
                (path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def model_case(self, name, replaced, mention, command=None, prepare=None):
        """A broken model and a command that must refuse it; without `command`, one of several in turn: they all open models."""
        path = self.model(name, replaced)
        if prepare:
            prepare(path)
        out = self.root / (name + "_out")
        ids = self.root / "two_ids.json"
        ids.write_text("[[1, 2]]")
        commands = {
            "inspect": ["inspect", path],
            "dry-run": ["quantize", path, out, "--dry-run"],
            "quantize": ["quantize", path, out, "--algorithm", "max"],
            "eval": ["eval", path, MODEL, "--data", ids],
            "logits": ["logits", path, "--ids", ids, "--output", str(out) + ".safetensors"],
        }
        turn = list(commands)[len(self.cases) % len(commands)]
        commands["verify"] = ["verify", path]
        self.add(name, commands[command or turn], mention, str(out) + ".safetensors" if (command or turn) == "logits" else out)
