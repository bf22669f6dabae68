#!/usr/bin/env python3
"""lm-evaluation-harness 0.4.13 on a task of this folder: local-completions and local-chat-completions run, and every log-likelihood is that of `tetrad logits`."""
import json
import math
import os
import struct
import subprocess
import sys
from array import array

from _shared import MODEL, Server, check, run, scratch

QUESTIONS = [("The capital of Norway is", [" Oslo", " Rome", " Paris"], 0), ("The capital of Italy is", [" Oslo", " Rome", " Paris"], 1), ("7 + 5 =", [" 11", " 12", " 13"], 1),
             ("Question: is 2 an even number?\nAnswer:", [" yes", " no"], 0), ("def add(a, b):\n    return", [" a + b", " a - b", " print(a)\n"], 0), ("你好，", ["世界", "再见"], 0)]
TASK = """dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
doc_to_text: "{{{{text}}}}"
"""
CHOICE = TASK + """task: tetrad_choice
output_type: multiple_choice
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{label}}}}"
metric_list: [{{metric: acc}}]
"""
GENERATE = TASK + """task: tetrad_generate
output_type: generate_until
doc_to_target: "{{{{choices[label]}}}}"
generation_kwargs: {{until: ["\\n\\n"], max_gen_toks: 16, temperature: 0}}
metric_list: [{{metric: exact_match}}]
"""
base = scratch()
(base / "data.jsonl").write_text("".join(json.dumps({"text": t, "choices": c, "label": i}) + "\n" for t, c, i in QUESTIONS))
for name, text in (("choice", CHOICE), ("generate", GENERATE)):
    (base / f"{name}.yaml").write_text(text.format(data=base / "data.jsonl"))
server = Server()


def lm_eval(model, path, task, *more):
    """The samples that lm_eval writes."""
    out = base / f"{model}-{task}"
    arguments = f"model=tiny-minimax-m2,base_url=http://127.0.0.1:{server.port}{path},tokenizer={MODEL},tokenizer_backend=huggingface,num_concurrent=4,max_length=2048"
    done = subprocess.run([sys.executable, "-m", "lm_eval", "run", "--model", model, "--model_args", arguments, "--tasks", task, "--include_path", str(base), "--log_samples", "--output_path", str(out), *more],
                          capture_output=True, text=True, timeout=600, env={**os.environ, "HF_HOME": str(base / "hf"), "OPENAI_API_KEY": "none", "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"})
    check(done.returncode == 0, f"lm_eval {model}: {done.stdout[-500:]}{done.stderr[-3000:]}")
    (samples,) = out.rglob("samples_*.jsonl")
    return [json.loads(line) for line in samples.read_text().splitlines()]


def log_likelihood(context, continuation):
    """From the logits that the command line writes."""
    ids = [json.loads(run("tokenize", MODEL, "--text", text).stdout) for text in (context, context + continuation)]
    (base / "ids.json").write_text(json.dumps([ids[1]]))
    (base / "l.safetensors").unlink(missing_ok=True)
    run("logits", MODEL, "--ids", base / "ids.json", "--output", base / "l.safetensors", "--quiet")
    data = (base / "l.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    vocab = json.loads(data[8:8 + length])["logits"]["shape"][-1]
    logits = array("f", data[8 + length:])
    total = 0.0
    for at in range(len(ids[0]), len(ids[1])):
        row = logits[(at - 1) * vocab:at * vocab]
        top = max(row)
        total += row[ids[1][at]] - top - math.log(math.fsum(math.exp(x - top) for x in row))
    return total


worst, count = 0.0, 0
for sample in lm_eval("local-completions", "/v1/completions", "tetrad_choice"):
    for (context, continuation), (value, _) in zip(((a["arg_0"], a["arg_1"]) for a in sample["arguments"].values()), sample["filtered_resps"]):
        difference = abs(float(value) - log_likelihood(context, continuation))
        worst, count = max(worst, difference), count + 1
check(count == sum(len(c) for _, c, _ in QUESTIONS) and worst <= 1e-4, f"{count} log-likelihoods, {worst} apart")
generated = [s["resps"][0][0] for s in lm_eval("local-completions", "/v1/completions", "tetrad_generate")]
chat = [s["resps"][0][0] for s in lm_eval("local-chat-completions", "/v1/chat/completions", "tetrad_generate", "--apply_chat_template")]
check(len(generated) == len(chat) == len(QUESTIONS) and all(isinstance(x, str) for x in generated + chat), f"generated: {generated} {chat}")
check(server.stop() == 0, "stops")
print(f"lm_eval: ok, {count} log-likelihoods at most {worst:.1e} from `tetrad logits`")
