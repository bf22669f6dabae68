#!/usr/bin/env python3
"""`tetrad eval` and `tetrad logits` against transformers: perplexity, KL divergence, top-1 agreement, logits.

  compare_eval.py BINARY REFERENCE CANDIDATE TEXT [--tokens 4000] [--context 512] [--stride 512]

Needs torch, transformers >= 5, safetensors and numpy. Both models are dequantized by this program's own few lines of NumPy and torch and run in F32; tokens come from
`tetrad tokenize`. Prints both sides and the relative differences; exits with 1 when one is over 1e-3 (logits: 2e-4 absolute).
"""
import argparse
import glob
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import MiniMaxM2ForCausalLM

E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def dequantized(directory):
    stored = {}
    for path in sorted(glob.glob(f"{directory}/*.safetensors")):
        with safe_open(path, "pt") as file:
            stored.update({name: file.get_tensor(name) for name in file.keys()})
    plain = {}
    for name, value in stored.items():
        module = name.removesuffix(".weight")
        if name.endswith((".weight_scale", ".weight_scale_2", ".input_scale", ".weight_scale_inv")):
            continue
        if value.dtype == torch.float8_e4m3fn:
            scale = stored[module + ".weight_scale_inv"].repeat_interleave(128, 0).repeat_interleave(128, 1)[:value.shape[0], :value.shape[1]]
            value = (value.float() * scale).to(torch.bfloat16).float()
        elif value.dtype == torch.uint8:
            codes = torch.stack([value & 15, value >> 4], -1).reshape(value.shape[0], -1).long()
            scale = stored[module + ".weight_scale"].float() * stored[module + ".weight_scale_2"]
            value = E2M1[codes] * scale.repeat_interleave(16, 1)
        plain[name] = value.float().contiguous()
    return plain


def load(directory, scratch):
    scratch.mkdir()
    config = json.loads((pathlib.Path(directory) / "config.json").read_text())
    config.pop("quantization_config", None)
    (scratch / "config.json").write_text(json.dumps(config))
    save_file(dequantized(directory), scratch / "model.safetensors", metadata={"format": "pt"})
    return MiniMaxM2ForCausalLM.from_pretrained(scratch, dtype=torch.float32, attn_implementation="eager").eval()


def windows(ids, context, stride):
    counted = 0
    for begin in range(0, len(ids), stride):
        end = min(begin + context, len(ids))
        yield ids[begin:end], max(0, counted - begin)
        counted = end - 1
        if end == len(ids):
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("binary", "reference", "candidate", "text"):
        parser.add_argument(name)
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--stride", type=int, default=512)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = pathlib.Path(temporary)
        ids = json.loads(subprocess.run([o.binary, "tokenize", o.reference, "--file", o.text], capture_output=True, check=True).stdout)[:o.tokens]
        (scratch / "ids.json").write_text(json.dumps([ids]))
        ours = json.loads(subprocess.run([o.binary, "eval", o.reference, o.candidate, "--data", scratch / "ids.json", "--context", str(o.context), "--stride", str(o.stride), "--json", "-", "--quiet"],
                                         capture_output=True, check=True).stdout)
        reference, candidate = load(o.reference, scratch / "r"), load(o.candidate, scratch / "c")
        nll_r = nll_c = kld = same = n = 0
        with torch.no_grad():
            for window, first in windows(ids, o.context, o.stride):
                x = torch.tensor([window])
                p, q = (torch.log_softmax(m(x).logits[0].double(), -1)[first:-1] for m in (reference, candidate))
                target = x[0, first + 1:, None]
                nll_r -= p.gather(1, target).sum().item()
                nll_c -= q.gather(1, target).sum().item()
                kld += (p.exp() * (p - q)).sum().item()
                same += (p.argmax(-1) == q.argmax(-1)).sum().item()
                n += len(p)
            short = torch.tensor([ids[:64]])
            theirs_logits = candidate(short).logits.numpy()
        (scratch / "short.json").write_text(json.dumps([ids[:64]]))
        subprocess.run([o.binary, "logits", o.candidate, "--ids", scratch / "short.json", "--output", scratch / "l.safetensors", "--quiet"], check=True)
        logit_difference = float(np.abs(load_file(scratch / "l.safetensors")["logits"].numpy() - theirs_logits).max())
    mine = ours["candidates"][0]
    rows = [("positions", ours["positions"], n), ("reference perplexity", ours["reference_perplexity"], float(np.exp(nll_r / n))), ("candidate perplexity", mine["perplexity"], float(np.exp(nll_c / n))),
            ("KLD mean", mine["kld"]["mean"], kld / n), ("top-1 agreement", mine["top1_agreement"], same / n)]
    worst = 0.0
    print(f"{'':<22}{'tetrad':>16}{'transformers':>16}{'relative':>12}")
    for name, a, b in rows:
        difference = abs(a - b) / max(abs(b), 1e-12)
        worst = max(worst, difference)
        print(f"{name:<22}{a:>16.8g}{b:>16.8g}{difference:>12.1e}")
    print(f"{'logits, largest |d|':<22}{logit_difference:>44.1e}")
    sys.exit(worst > 1e-3 or logit_difference > 2e-4)


main()
