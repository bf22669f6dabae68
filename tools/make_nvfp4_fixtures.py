#!/usr/bin/env python3
"""Cuts the golden results of NVIDIA Model Optimizer down to what the tests keep: the first rows of each matrix.

    tools/make_nvfp4_fixtures.py GOLDEN.safetensors tests/data/nvfp4/golden.safetensors [--rows N] [--cols N]

GOLDEN.safetensors has, for every matrix NAME, NAME.input (BF16) and NAME.{max,mse,mse_kernel,four_over_six}.{weight,weight_scale,weight_scale_2}.
What is kept of a row does not depend on the other rows but for the tensor scale, which is kept too, with the amax of the whole matrix as
NAME.amax. Rows beyond --rows and columns beyond --cols are dropped (0: keep all). Standard library only.
"""
import argparse
import json
import struct

SIZES = {"F32": 4, "BF16": 2, "U8": 1, "F8_E4M3": 1}
PER_BYTE = {"input": 1, "weight": 2, "weight_scale": 16}  # input columns that one stored element covers
KEPT = [f"{a}.{t}" for a in ("max", "mse", "mse_kernel", "four_over_six") for t in ("weight", "weight_scale", "weight_scale_2")] + ["input", "max.dequant_f32"]


def read(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (h["dtype"], h["shape"], data[slice(*h["data_offsets"])]) for name, h in header.items()}


def write(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, raw) in sorted(tensors.items(), key=lambda item: (-SIZES[item[1][0]], item[0])):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":"))
    text += " " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text.encode() + data)


def cut(tensor, rows, cols):
    dtype, shape, raw = tensor
    if len(shape) != 2:
        return tensor
    row_bytes = shape[1] * SIZES[dtype]
    rows, cols = min(rows or shape[0], shape[0]), min(cols or shape[1], shape[1])
    parts = [raw[r * row_bytes : r * row_bytes + cols * SIZES[dtype]] for r in range(rows)]
    return dtype, [rows, cols], b"".join(parts)


def amax_of(tensor):
    values = [v & 0x7FFF for (v,) in struct.iter_unpack("<H", tensor[2])]
    return "F32", [], struct.pack("<I", max(values) << 16)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden")
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--cols", type=int, default=1024)
    args = parser.parse_args()
    golden, kept = read(args.golden), {}
    for name in sorted(n.removesuffix(".input") for n in golden if n.endswith(".input")):
        kept[f"{name}.amax"] = amax_of(golden[f"{name}.input"])
        for part in KEPT:
            full = golden.get(f"{name}.{part}")
            if full is not None:
                kept[f"{name}.{part}"] = cut(full, args.rows, args.cols // PER_BYTE.get(part.split(".")[-1], 1))
    write(args.out, kept)


if __name__ == "__main__":
    main()
