#!/usr/bin/env python3
"""Peak memory of quantize does not grow with the number of layers, nor with hidden states beyond the limit."""
import json

from _common import check, run, scratch

base = scratch()
WIDTHS = ["--experts", "48", "--hidden", "1024", "--width", "512", "--heads", "16", "--kv-heads", "4", "--head-dim", "64", "--vocab", "2048"]
peaks = {}
(base / "ids.json").write_text(json.dumps([[(7 * i + 13 * s) % 2048 for i in range(256)] for s in range(16)]))
for layers in (2, 8):
    model = base / f"model{layers}"
    run("make-model", model, "--layers", layers, *WIDTHS)
    for name, more in (("plain", []), ("calibrated", ["--calibration-ids", base / "ids.json"])):
        result = json.loads(run("quantize", model, base / f"{name}{layers}", "--quiet", "--algorithm", "max", "--memory-limit", "128MiB", "--json", "-", *more).stdout)
        peaks[name, layers] = result["peak_rss_bytes"] / 1e6
for name in ("plain", "calibrated"):
    few, many = peaks[name, 2], peaks[name, 8]
    check(many < few + 16, f"{name}: {few:.0f} MB for 2 layers, {many:.0f} MB for 8")
    check(many < 300, f"{name}: {many:.0f} MB under a limit of 134 MB")
    print(f"{name}: peak {few:.0f} MB for 2 layers (151 MB of experts), {many:.0f} MB for 8 (604 MB)")
