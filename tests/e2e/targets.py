#!/usr/bin/env python3
"""One arithmetic: every SIMD target but "amx" and every number of threads gives the same bytes, "amx" almost the same numbers, and the oracle in double precision confirms them."""
import array
import json
import os
import struct

from _common import MODEL, check, digest, divergences, portable_target, run, scratch

base = scratch()
targets = run("--version").stdout.split("SIMD targets here:")[1].split("\n")[0].replace(",", " ").split()
check("scalar" in targets, f"targets: {targets}")
calibration = ["--calibration", MODEL / "data" / "calibration.jsonl", "--calibration-tokens", "300", "--quiet"]


def results(name, threads, **environment):
    """Logits, and the checkpoint quantized with calibration: bytes of the first, digests of the second."""
    keywords = {"env": {**os.environ, **environment}}
    logits = base / f"{name}.safetensors"
    run("logits", MODEL, "--ids", MODEL / "reference" / "ids.json", "--output", logits, "--threads", threads, "--quiet", **keywords)
    run("quantize", MODEL, base / name, "--algorithm", "max", "--threads", threads, *calibration, **keywords)
    return logits.read_bytes(), {f: d for f, d in digest(base / name).items() if f != "tetrad_quantization.json"}


def floats(data):
    (length,) = struct.unpack("<Q", data[:8])
    return array.array("f", data[8 + length:])


VOCABULARY = json.loads((MODEL / "config.json").read_text())["vocab_size"]


environment = {**os.environ, "TETRAD_BACKEND": "ref"}
run("logits", MODEL, "--ids", MODEL / "reference" / "ids.json", "--output", base / "oracle.safetensors", "--quiet", env=environment)
oracle = floats((base / "oracle.safetensors").read_bytes())


def from_oracle(logits):
    return max(abs(a - b) for a, b in zip(logits, oracle))


portable = results("portable", 2, TETRAD_SIMD=portable_target())
apart = "not here"
for target in targets:
    expected = portable if target != "amx" else results("amx", 2, TETRAD_SIMD="amx")
    for threads in (1, 3):
        got = results(f"{target}{threads}", threads, TETRAD_SIMD=target)
        check(got[0] == expected[0], f"logits: {target} with {threads} threads differs")
        check(got[1] == expected[1], f"quantize: {target} with {threads} threads differs")
    if target == "amx":
        worst = max(divergences(floats(portable[0]), floats(expected[0]), VOCABULARY))
        check(abs(worst) < 1e-5, f"AMX is {worst} nats from the other targets")
        largest = from_oracle(floats(expected[0]))
        check(largest < 2e-4, f"AMX's logits are {largest} from the oracle's")
        apart = f"{worst:.1e} nats away at most"

largest = from_oracle(floats(portable[0]))
check(largest < 5e-5, f"logits are {largest} from the oracle's")
for name, more in (("plain", {}), ("plain-oracle", {"env": environment})):
    run("quantize", MODEL, base / name, "--algorithm", "four-over-six", "--quiet", **more)
check(digest(base / "plain")["model.safetensors"] == digest(base / "plain-oracle")["model.safetensors"], "quantize: the oracle differs")
refused = run("logits", MODEL, "--ids", MODEL / "reference" / "ids.json", "--output", base / "x", ok=False, env={**os.environ, "TETRAD_BACKEND": "tpu"})
check(refused.returncode == 2 and "unavailable backend" in refused.stderr, "an unknown backend is refused")
print(f"targets {', '.join(targets)}: the same bytes, but AMX ({apart}); logits {largest:.1e} from the oracle's")
