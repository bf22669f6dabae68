#!/usr/bin/env python3
"""Makes a MiniMax-M2 checkpoint of any width with random weights, to measure memory and speed with. Standard library only; streamed.

  make_model.py DIR [--layers 1] [--experts 256] [--hidden 3072] [--width 1536] [--heads 48] [--kv-heads 8] [--head-dim 128] [--vocab 32768] [--top-k 8]
                [--format fp8|bf16] [--seed 0]
"""
import argparse
import json
import pathlib
import random
import struct

CHUNK = 1 << 22


def tensors(o):
    """(name, dtype, shape) in file order"""
    half = "F8_E4M3" if o.format == "fp8" else "BF16"

    def matrix(module, rows, cols):
        yield module + ".weight", half, [rows, cols]
        if o.format == "fp8":
            yield module + ".weight_scale_inv", "F32", [-(-rows // 128), -(-cols // 128)]

    yield "model.embed_tokens.weight", "BF16", [o.vocab, o.hidden]
    for layer in range(o.layers):
        p = f"model.layers.{layer}."
        q, kv = o.heads * o.head_dim, o.kv_heads * o.head_dim
        for name, rows, cols in (("q", q, o.hidden), ("k", kv, o.hidden), ("v", kv, o.hidden), ("o", o.hidden, q)):
            yield from matrix(f"{p}self_attn.{name}_proj", rows, cols)
        yield p + "self_attn.q_norm.weight", "BF16", [q]
        yield p + "self_attn.k_norm.weight", "BF16", [kv]
        yield p + "block_sparse_moe.gate.weight", "F32", [o.experts, o.hidden]
        yield p + "block_sparse_moe.e_score_correction_bias", "F32", [o.experts]
        for expert in range(o.experts):
            for name, rows, cols in (("w1", o.width, o.hidden), ("w2", o.hidden, o.width), ("w3", o.width, o.hidden)):
                yield from matrix(f"{p}block_sparse_moe.experts.{expert}.{name}", rows, cols)
        yield p + "input_layernorm.weight", "BF16", [o.hidden]
        yield p + "post_attention_layernorm.weight", "BF16", [o.hidden]
    yield "model.norm.weight", "BF16", [o.hidden]
    yield "lm_head.weight", "BF16", [o.vocab, o.hidden]


def size_of(dtype, shape):
    n = {"F8_E4M3": 1, "BF16": 2, "F32": 4}[dtype]
    for d in shape:
        n *= d
    return n


class Values:
    """A pool of random bytes for each type, cut at random places: fast, and different from tensor to tensor."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        raw = self.random.randbytes(2 * CHUNK)
        # E4M3 codes around 2^-1 .. 2^3 in magnitude, either sign; BF16 around 0.02.
        self.pools = {
            "F8_E4M3": raw.translate(bytes((b & 0x80) | (0x20 + (b & 0x1F)) for b in range(256))),
            "BF16": b"".join(bytes((raw[i], (raw[i + 1] & 0x80) | 0x3C)) for i in range(0, CHUNK, 2)) * 2,
            "F32": b"".join(struct.pack("<f", self.random.uniform(0.9, 1.1) * 0.004) for _ in range(1 << 14)) * (2 * CHUNK // (1 << 16)),
        }

    def write(self, file, name, dtype, nbytes):
        if "norm" in name:
            file.write(struct.pack("<H", 0x3F80) * (nbytes // 2))
            return
        pool = self.pools[dtype]
        while nbytes > 0:
            start = self.random.randrange(0, CHUNK // 4) * 4
            piece = pool[start:start + min(nbytes, CHUNK)]
            file.write(piece)
            nbytes -= len(piece)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    for name, default in (("layers", 1), ("experts", 256), ("hidden", 3072), ("width", 1536), ("heads", 48), ("kv-heads", 8), ("head-dim", 128), ("vocab", 32768), ("top-k", 8), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--format", choices=("fp8", "bf16"), default="fp8")
    o = parser.parse_args()
    o.directory.mkdir(parents=True)
    config = {
        "architectures": ["MiniMaxM2ForCausalLM"], "model_type": "minimax_m2", "attn_type_list": [1] * o.layers, "bos_token_id": 0, "eos_token_id": 1, "dtype": "bfloat16",
        "head_dim": o.head_dim, "hidden_act": "silu", "hidden_size": o.hidden, "intermediate_size": o.width, "max_position_embeddings": 196608,
        "num_attention_heads": o.heads, "num_experts_per_tok": o.top_k, "num_hidden_layers": o.layers, "num_key_value_heads": o.kv_heads, "num_local_experts": o.experts,
        "qk_norm_type": "per_layer", "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "rotary_dim": o.head_dim // 2, "scoring_func": "sigmoid", "shared_intermediate_size": 0,
        "tie_word_embeddings": False, "use_qk_norm": True, "use_routing_bias": True, "vocab_size": o.vocab}
    if o.format == "fp8":
        config["quantization_config"] = {"activation_scheme": "dynamic", "fmt": "float8_e4m3fn", "quant_method": "fp8", "weight_block_size": [128, 128],
                                         "modules_to_not_convert": ["gate", "e_score_correction_bias", "lm_head"]}
    (o.directory / "config.json").write_text(json.dumps(config, indent=2))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape in tensors(o):
        end = offset + size_of(dtype, shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    values = Values(o.seed)
    with open(o.directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, dtype, shape in tensors(o):
            values.write(file, name, dtype, size_of(dtype, shape))
    print(f"{o.directory}: {offset / 1e9:.2f} GB")


main()
