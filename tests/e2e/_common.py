"""What the end-to-end tests share: running the binary, reading safetensors, a scratch folder that goes away."""
import array
import atexit
import hashlib
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "models" / "tiny-minimax-m2"
TETRAD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else str(ROOT / "build" / "tetrad")


# A sanitizer keeps freed memory aside and shadows the rest: what is resident then says nothing about the program.
SANITIZED = bool(os.environ.get("TETRAD_SANITIZED"))


def scratch():
    path = pathlib.Path(tempfile.mkdtemp(prefix="tetrad-test-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def run(*arguments, ok=True, **keywords):
    """Runs tetrad; with ok, a failure ends the test with what it printed."""
    done = subprocess.run([TETRAD, *map(str, arguments)], capture_output=True, text=True, timeout=600, **keywords)
    if ok and done.returncode != 0:
        sys.exit(f"FAILED: tetrad {' '.join(map(str, arguments))}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def tensors(directory):
    """name -> (dtype, shape, bytes) of a small checkpoint"""
    found = {}
    for path in sorted(pathlib.Path(directory).glob("*.safetensors")):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        for name, entry in json.loads(data[8:8 + length]).items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                found[name] = (entry["dtype"], entry["shape"], data[8 + length + begin:8 + length + end])
    return found


def portable_target():
    """The best SIMD target here that computes as all but "amx" do."""
    targets = run("--version").stdout.split("SIMD targets here:")[1].split("\n")[0].replace(",", " ").split()
    return next(target for target in targets if target != "amx")


def logits_of(model, path, *flags, **environment):
    """What `tetrad logits` gives for the bundled ids, written to `path`."""
    run("logits", model, "--ids", MODEL / "reference" / "ids.json", "--output", path, "--overwrite", "--quiet", *flags, env={**os.environ, **environment})
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return array.array("f", data[8 + length:])


def divergences(reference, other, width):
    """KL divergence of each row of `width` logits."""
    def log_softmax(row):
        top = max(row)
        total = math.log(sum(math.exp(x - top) for x in row)) + top
        return [x - total for x in row]

    for begin in range(0, len(reference), width):
        p, q = (log_softmax(values[begin:begin + width]) for values in (reference, other))
        yield sum(math.exp(a) * (a - b) for a, b in zip(p, q))


def digest(directory):
    """file name -> SHA-256, of every file below a folder"""
    root = pathlib.Path(directory)
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*")) if p.is_file()}
