#!/usr/bin/env python3
"""--dense-weights: what it adds in KL divergence, what it takes off a step's bytes, and that every command means the same by it."""
import json
import struct

from _common import MODEL, SANITIZED, check, logits_of, portable_target, run, scratch, tensors
from _server import Server

base = scratch()
nvfp4 = base / "nvfp4"
run("quantize", MODEL, nvfp4, "--algorithm", "max", "--quiet")
stored = tensors(nvfp4)
dense = [name for name in stored if name == "lm_head.weight" or any(name.endswith(f"self_attn.{p}_proj.weight") for p in "qkvo")]
check(len(dense) == 4 * 4 + 1 and all(stored[name][0] == "BF16" for name in dense), f"dense weights in BF16: {dense}")
rows = sum(stored[name][1][0] for name in dense)
elements = sum(stored[name][1][0] * stored[name][1][1] for name in dense)

for command in ("eval", "logits", "generate", "chat", "bench", "serve"):
    check("--dense-weights" in run(command, "--help").stdout, f"{command} --help")
for arguments in (["bench", nvfp4], ["serve", nvfp4], ["generate", nvfp4, "--prompt", "x"], ["eval", nvfp4, nvfp4, "--data", "x.txt"]):
    done = run(*arguments, "--dense-weights", "int4", ok=False)
    check(done.returncode == 2 and done.stderr.startswith("tetrad: error: ") and "int4" in done.stderr, f"a wrong value is wrong usage: {done.returncode} {done.stderr!r}")


TOKENS = 1000 if SANITIZED else 3000


# eval of a model against itself: the reference keeps its weights, so that the option's own divergence is what it prints
def divergence(*flags):
    result = json.loads(run("eval", nvfp4, nvfp4, "--data", MODEL / "data" / "eval.jsonl", "--max-tokens", TOKENS, "--json", "-", "--quiet", *flags).stdout)
    return result["dense_weights"], result["candidates"][0]["kld"]["mean"]


check(divergence() == ("stored", 0) and divergence("--dense-weights", "bf16") == ("stored", 0), "as they are stored is the default")
name, int8 = divergence("--dense-weights", "int8")
check(name == "int8" and 0 < int8 < 1e-4, f"int8: {name} {int8}")
name, fp8 = divergence("--dense-weights", "fp8")
check(name == "fp8" and int8 < fp8 < 1e-2, f"fp8: {name} {fp8}")
check("dense weights int8" in run("eval", nvfp4, nvfp4, "--data", MODEL / "data" / "eval.jsonl", "--max-tokens", 300, "--dense-weights", "int8").stdout, "the table says so too")


# bench counts the bytes that are read
def bench(*flags):
    result = json.loads(run("bench", nvfp4, "--prompt", 16, "--generate", 4, "--repeat", 1, "--json", "-", *flags).stdout)
    decode = result["decode"][0]
    # 4 layers of 2 heads of 64, keys and values in F32; a step reads its own and those before it: 17, 18, 19, 20
    check(decode["kv_bytes_per_step"] == 18.5 * 4 * 2 * 2 * 64 * 4, decode)
    share = decode["tokens_per_second_median"] * (decode["weight_bytes_per_step"] + decode["kv_bytes_per_step"]) / 1e9 / result["machine"]["stream_read_gbs"]
    check(abs(decode["fraction_of_stream_with_kv"] / share - 1) < 1e-6, decode)
    return result["dense_weights"], decode["weight_bytes_per_step"]


(_, plain), (name, fewer) = bench(), bench("--dense-weights", "int8")
check(name == "int8" and abs(plain - fewer - (elements - 4 * rows)) < 0.01 * plain, f"a step's bytes: {plain} and {fewer}, {elements} elements in {rows} rows")


# logits: one arithmetic, confirmed by the oracle
def logits(*flags, **environment):
    return logits_of(nvfp4, base / "logits.safetensors", *flags, **environment)


for form in ("int8", "fp8"):
    flags = ["--dense-weights", form]
    expected = logits(*flags)
    check(expected != logits(), f"{form} changes logits")
    portable = logits(*flags, TETRAD_SIMD=portable_target())
    check(portable == logits(*flags, "--threads", 1, TETRAD_SIMD="scalar"), f"{form}: scalar code on one thread gives the same bytes")
    largest = max(abs(a - b) for a, b in zip(expected, logits(*flags, TETRAD_BACKEND="ref")))
    check(largest < 1e-3, f"{form}: logits are {largest} from the oracle's")  # NVFP4's activations are rounded to 16 bits: 2.5e-4

# serve: the text of generate
prompt = "What is the capital of Norway?"
alone = json.loads(run("generate", nvfp4, "--chat", "--prompt", prompt, "--temperature", 0, "--max-tokens", 40, "--dense-weights", "int8", "--json", "-").stdout)
server = Server("--dense-weights", "int8", model=nvfp4)
answer = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 40})["choices"][0]["message"]
check(answer["content"].strip() and answer["content"].strip() in alone["text"], f"{answer} {alone['text']!r}")
check(json.loads(server.get("/server_info").body)["dense_weights"] == "int8", "server_info")
check("of them resident" in server.log(), f"the plan names what is resident: {server.log()}")
check(server.stop() == 0, "the server ends")

# A value that is not finite is named; without the option it is read as it is.
index = nvfp4 / "model.safetensors.index.json"
shard = nvfp4 / (json.loads(index.read_text())["weight_map"]["model.layers.1.self_attn.v_proj.weight"] if index.exists() else "model.safetensors")
data = bytearray(shard.read_bytes())
(length,) = struct.unpack("<Q", data[:8])
begin, _ = json.loads(data[8:8 + length])["model.layers.1.self_attn.v_proj.weight"]["data_offsets"]
data[8 + length + begin:8 + length + begin + 2] = b"\xc0\x7f"
shard.write_bytes(data)
done = run("generate", nvfp4, "--prompt", "x", "--max-tokens", 1, "--dense-weights", "int8", ok=False)
check(done.returncode == 1 and "model.layers.1.self_attn.v_proj.weight: row 0" in done.stderr, f"NaN: {done.returncode} {done.stderr!r}")
print(f"dense weights: KLD int8 {int8:.1e}, fp8 {fp8:.1e}; a step reads {plain / 1e6:.2f} MB, int8 {fewer / 1e6:.2f} MB")
