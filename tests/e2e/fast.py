#!/usr/bin/env python3
"""--fast: what 8-bit inputs of NVFP4 experts cost in KL divergence, and that every command means the same by it."""
import json
import os
import statistics

from _common import MODEL, SANITIZED, check, divergences, logits_of, portable_target, run, scratch
from _server import Server

base = scratch()
os.environ["TETRAD_SIMD"] = portable_target()  # "amx" has no 8-bit inputs: see the end
nvfp4 = base / "nvfp4"
run("quantize", MODEL, nvfp4, "--algorithm", "max", "--quiet")
for command in ("eval", "logits", "generate", "chat", "bench", "serve"):
    check("--fast" in run(command, "--help").stdout, f"{command} --help")

# The mean is that of a few tokens which go to another expert: 4.5 % of the quantization's over 58,000 tokens, 8 % over 8,000, 18 % over 1,000.
TOKENS, SHARE = (1000, 0.25) if SANITIZED else (8000, 0.1)
VOCABULARY = json.loads((MODEL / "config.json").read_text())["vocab_size"]


def divergence(reference, *flags):
    result = json.loads(run("eval", reference, nvfp4, "--data", MODEL / "data" / "eval.jsonl", "--max-tokens", TOKENS, "--json", "-", "--quiet", *flags).stdout)
    kld = result["candidates"][0]["kld"]
    return result["expert_inputs"], kld["mean"], kld["median"]


check(divergence(nvfp4) == divergence(nvfp4, "--exact") == ("int16", 0, 0), "16 bits are the default")
name, own, median = divergence(nvfp4, "--fast")
_, quantization, typical = divergence(MODEL)
check(name == "int8" and 0 < own < SHARE * quantization and 0 < median < 0.05 * typical, f"--fast: {name} {own} {median}, the quantization {quantization} {typical}")
_, both, _ = divergence(MODEL, "--fast")
check(abs(both - quantization) < SHARE * quantization, f"together {both}, the quantization alone {quantization}")


def logits(*flags, **environment):
    return logits_of(nvfp4, base / "logits.safetensors", *flags, **environment)


def kld(reference, other):
    """Mean over the positions."""
    return statistics.fmean(divergences(reference, other, VOCABULARY))


expected, plain = logits("--fast"), logits()
by_fast, by_bf16 = kld(plain, expected), kld(plain, logits("--precision", "bf16"))
check(0 < by_fast < by_bf16, f"it moves logits less than rounding each operation to BF16: {by_fast} {by_bf16}")
check(expected == logits("--fast", "--threads", 1, TETRAD_SIMD="scalar"), "scalar code on one thread gives the same bytes")
of_fp8 = ["logits", MODEL, "--ids", MODEL / "reference" / "ids.json", "--quiet"]
run(*of_fp8, "--output", base / "plain.safetensors")
run(*of_fp8, "--output", base / "fast.safetensors", "--fast")
check((base / "plain.safetensors").read_bytes() == (base / "fast.safetensors").read_bytes(), "an FP8 model has nothing to change")

# generate, bench and serve
prompt = "What is the capital of Norway?"
alone = json.loads(run("generate", nvfp4, "--chat", "--prompt", prompt, "--temperature", 0, "--max-tokens", 40, "--fast", "--json", "-").stdout)
bench = ["bench", nvfp4, "--prompt", 16, "--generate", 4, "--repeat", 1, "--json", "-"]
check([json.loads(run(*bench, *flags).stdout)["expert_inputs"] for flags in ([], ["--fast"])] == ["int16", "int8"], "bench")
server = Server("--fast", model=nvfp4)
request = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 40, "logprobs": True}
choice = server.post("/v1/chat/completions", request)["choices"][0]
check(choice["message"]["content"].strip() and choice["message"]["content"].strip() in alone["text"], f"{choice} {alone['text']!r}")
check(json.loads(server.get("/server_info").body)["expert_inputs"] == "int8", "server_info")
check(server.stop() == 0, "the server ends")
exact = Server(model=nvfp4)
other = exact.post("/v1/chat/completions", request)["choices"][0]
check(choice["logprobs"] != other["logprobs"], "the server computes in 8 bits only when told to")
check(json.loads(exact.get("/server_info").body)["expert_inputs"] == "int16", "server_info")
check(exact.stop() == 0, "the server ends")

os.environ["TETRAD_SIMD"] = "amx"
if run("--version").stdout.split("SIMD targets here:")[1].split()[0].strip(",") == "amx":
    check(logits("--fast") == logits(), "AMX: 16 bits with --fast too")
    check(json.loads(run(*bench, "--fast").stdout)["expert_inputs"] == "int16", "AMX: says so")
print(f"8-bit inputs: KLD {own:.1e}, {100 * own / quantization:.1f} % of the quantization's {quantization:.1e}; together {both:.1e}; on the reference ids {by_fast:.1e}, BF16 arithmetic {by_bf16:.1e}")
