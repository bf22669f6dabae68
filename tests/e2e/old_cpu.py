#!/usr/bin/env python3
"""CPUs that lack what this one has: AVX-512, or AVX2 too. Under qemu an instruction too many ends the program, and results are the same bytes."""
import os
import shutil
import subprocess
import sys

from _common import MODEL, TETRAD, check, portable_target, scratch

QEMU = shutil.which("qemu-x86_64")
if not QEMU:
    print("no qemu-x86_64 here (Debian: qemu-user)")
    sys.exit(77)

base = scratch()
TASKS = {
    "generate": ["generate", MODEL, "--prompt", "One, two,", "--max-tokens", "4", "--temperature", "0"],
    "logits": ["logits", MODEL, "--ids", base / "ids.json", "--output"],
    "quantize": ["quantize", MODEL, "--algorithm", "mse", "--quiet"],
}
(base / "ids.json").write_text(str([list(range(10, 27))]))


def results(name, command):
    """Runs everything by `command`; the bytes that came out."""
    environment = {key: value for key, value in os.environ.items() if key != "TETRAD_SIMD"}
    if not command:
        environment["TETRAD_SIMD"] = portable_target()

    def execute(*arguments):
        done = subprocess.run([*command, TETRAD, *map(str, arguments), "--threads", "2"], capture_output=True, timeout=900, env=environment)
        check(done.returncode == 0, f"{name}: {arguments[0]}: status {done.returncode}: {done.stderr.decode()[-500:]}")
        return done.stdout

    text = execute(*TASKS["generate"])
    execute(*TASKS["logits"], base / f"{name}.safetensors")
    execute(*TASKS["quantize"], base / name)
    shards = b"".join(path.read_bytes() for path in sorted((base / name).glob("*.safetensors")))
    return text, (base / f"{name}.safetensors").read_bytes(), shards


expected = results("native", [])
for cpu, target in (("Haswell", "avx2"), ("Nehalem", "scalar")):
    version = subprocess.run([QEMU, "-cpu", cpu, TETRAD, "--version"], capture_output=True, text=True).stdout
    best = version.split("SIMD targets here:")[1].split()[0].strip(",")
    check(best == target, f"qemu's {cpu} chooses {best}, not {target}")
    got = results(cpu, [QEMU, "-cpu", cpu])
    for what, one, other in zip(TASKS, expected, got):
        check(one == other, f"{what} differs on {cpu}")
