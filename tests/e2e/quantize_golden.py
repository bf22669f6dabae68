#!/usr/bin/env python3
"""Quantized checkpoints against Model Optimizer's bytes: names, types, shapes, weights, scales, input scales, configurations."""
import json

from _common import ROOT, check, run, scratch, tensors

GOLDEN = ROOT / "tests" / "data" / "golden"
KINDS = (".weight_scale_2", ".weight_scale", ".input_scale", ".weight")


def kind_of(name, dtype):
    kind = next((k for k in KINDS if name.endswith(k)), "other")
    return "other" if kind == ".weight" and dtype != "U8" else kind


def compare(name, source, reference, arguments, mse=False, input_scales=True):
    out = scratch() / "out"
    run("quantize", GOLDEN / source, out, "--quiet", *arguments)
    ours, theirs = tensors(out), tensors(GOLDEN / reference)
    check(set(ours) == set(theirs), f"{name}: tensor names differ: {sorted(set(ours) ^ set(theirs))[:4]}")
    differing = blocks = 0
    for tensor, (dtype, shape, data) in theirs.items():
        kind = kind_of(tensor, dtype)
        mine = ours[tensor]
        if kind == "other":
            continue  # Model Optimizer rounds F32 routers to BF16; tetrad keeps them
        check(mine[0] == dtype and mine[1] == shape, f"{name}: {tensor}: {mine[:2]} is not {dtype} {shape}")
        if kind == ".input_scale" and not input_scales:
            continue
        if mse and kind == ".weight_scale":
            differing += sum(a != b for a, b in zip(mine[2], data))
            blocks += len(data)
        elif not (mse and kind == ".weight"):
            check(mine[2] == data, f"{name}: {tensor}: bytes differ")
    check(differing <= 0.0005 * blocks, f"{name}: {differing} of {blocks} block scales differ")
    for file in ("config.json", "hf_quant_config.json"):
        mine, theirs_json = (json.loads((d / file).read_text()) for d in (out, GOLDEN / reference))
        mine_quant, theirs_quant = mine.get("quantization_config", mine), theirs_json.get("quantization_config", theirs_json)
        check(mine_quant == theirs_quant, f"{name}: {file} differs: {mine_quant} instead of {theirs_quant}")
    source_config = json.loads((GOLDEN / source / "config.json").read_text())
    mine = json.loads((out / "config.json").read_text())
    for key, value in source_config.items():
        check(key == "quantization_config" or mine.get(key) == value, f"{name}: config.json lost {key}")
    print(f"{name}: {len(theirs)} tensors equal" + (f", {differing} of {blocks} near-tie blocks differ" if mse else ""))


CALIBRATED = ["--calibration-ids", GOLDEN / "calib_ids.json", "--calibration-precision", "bf16"]
compare("max from BF16", "tiny_m2_bf16", "tiny_m2_nvfp4", ["--algorithm", "max", *CALIBRATED])
compare("mse", "tiny_m2_bf16", "tiny_m2_nvfp4_mse", ["--algorithm", "mse", *CALIBRATED], mse=True)
compare("four-over-six", "tiny_m2_bf16", "tiny_m2_nvfp4_four_over_six", ["--algorithm", "four-over-six", *CALIBRATED], mse=True)
compare("max from FP8", "tiny_m2_fp8", "tiny_m2_fp8_dequant_bf16_nvfp4", ["--algorithm", "max", *CALIBRATED])
compare("GLM, weights only", "tiny_glm_bf16", "tiny_glm_nvfp4", ["--algorithm", "max"], input_scales=False)

# In F32 the calibration's maxima may differ from BF16's by a rounding: within 1 %.
out = scratch() / "f32"
run("quantize", GOLDEN / "tiny_m2_bf16", out, "--quiet", "--algorithm", "max", "--calibration-ids", GOLDEN / "calib_ids.json")
import struct

theirs = tensors(GOLDEN / "tiny_m2_nvfp4")
for tensor, (_, _, data) in tensors(out).items():
    if tensor.endswith(".input_scale"):
        a, b = struct.unpack("<f", data)[0], struct.unpack("<f", theirs[tensor][2])[0]
        check(abs(a - b) <= 0.01 * b, f"{tensor}: {a} is not within 1 % of {b}")
print("input scales in F32: within 1 %")
