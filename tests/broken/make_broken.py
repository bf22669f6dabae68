#!/usr/bin/env python3
"""Makes broken models, tokenizers, templates and data files from the bundled model, each with the command line that must refuse it.

make_broken.py DIRECTORY writes them there and lists them in DIRECTORY/cases.json: [{"name", "arguments", "mention", "output"}]. `mention` must
occur in the error line; `output` must not exist afterwards. What is not broken in a model is a link to the bundled file.
"""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scene import MODEL, Scene, edit_header, pack, unpack  # noqa: E402

SHARD = "model-00004-of-00004.safetensors"  # holds lm_head.weight alone
FIRST = "model-00001-of-00004.safetensors"
INDEX = "model.safetensors.index.json"


def files(s):
    """The safetensors file itself."""
    whole = (MODEL / SHARD).read_bytes()
    header, data = unpack(whole)
    entry = header["lm_head.weight"]
    size = len(data)

    def shard(name, content, mention=SHARD):
        s.model_case(name, {SHARD: content}, mention)

    def changed(name, mention="lm_head.weight", **keys):
        shard(name, pack({"lm_head.weight": {**entry, **keys}}, data), mention)

    shard("shard_truncated", whole[:len(whole) // 2])
    shard("shard_cut_in_header", whole[:40])
    shard("shard_of_four_bytes", whole[:4])
    shard("shard_empty", b"")
    shard("shard_header_length_too_big", (len(whole)).to_bytes(8, "little") + whole[8:])
    shard("shard_header_length_zero", bytes(8) + whole[8:])
    shard("shard_header_length_huge", b"\xff" * 8 + whole[8:])
    shard("shard_header_not_json", pack(b'{"lm_head.weight":{"dtype":"BF16"', data))
    shard("shard_header_array", pack(b"[]", b""))
    shard("shard_header_without_brace", pack(b"  {}", b""))
    shard("shard_header_binary", pack(b"{\x00\x01\x02}", b""))
    shard("shard_header_deep", pack(b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}", b""))
    shard("shard_header_bad_utf8", pack(b'{"\xff\xfe":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', b""))
    twice = json.dumps({"lm_head.weight": entry})
    shard("shard_tensor_twice", pack((twice[:-1] + "," + twice[1:]).encode(), data), "occurs twice")
    shard("shard_metadata_number", pack({"__metadata__": {"a": 1}, "lm_head.weight": entry}, data), "metadata")
    shard("shard_trailing_bytes", whole + b"junk")
    shard("shard_hole", pack({"lm_head.weight": {**entry, "data_offsets": [16, size + 16]}}, bytes(16) + data), "lm_head.weight")
    shard("shard_overlap", pack({"lm_head.weight": entry, "x": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}, data), "inside the tensor before")
    changed("tensor_offset_outside", data_offsets=[size, 2 * size])
    changed("tensor_offset_negative", data_offsets=[-2, size - 2])
    changed("tensor_offset_inverted", data_offsets=[size, 0])
    changed("tensor_offset_huge", data_offsets=[0, 2**64 - 1])
    changed("tensor_offset_missing", data_offsets=[0])
    changed("tensor_shape_mismatch", shape=[6144, 255])
    changed("tensor_shape_overflow", shape=[2**62, 2**62])
    changed("tensor_shape_negative", shape=[-6144, -256])
    changed("tensor_shape_float", shape=[6144.0, 256])
    changed("tensor_dtype_unknown", dtype="BF17")
    changed("tensor_dtype_number", dtype=16)
    s.model_case("shard_is_a_directory", {SHARD: None}, SHARD, prepare=lambda path: (path / SHARD).mkdir())
    s.model_case("shard_is_a_link_to_itself", {SHARD: None}, SHARD, prepare=lambda path: (path / SHARD).symlink_to(SHARD))
    s.model_case("shard_missing", {SHARD: None}, SHARD)
    s.model_case("tensor_in_two_shards", {SHARD: pack({"lm_head.weight": entry, "model.norm.weight": {"dtype": "U8", "shape": [0], "data_offsets": [size, size]}}, data)},
                 "model.norm.weight")


def index(s):
    good = json.loads((MODEL / INDEX).read_text())

    def with_map(name, mention, **entries):
        s.model_case(name, {INDEX: json.dumps({**good, "weight_map": {**good["weight_map"], **entries}})}, mention)

    with_map("index_names_absent_tensor", "model.ghost.weight", **{"model.ghost.weight": SHARD})
    with_map("index_names_wrong_file", "lm_head.weight", **{"lm_head.weight": FIRST})
    with_map("index_leads_up", "plain file name", **{"lm_head.weight": "../" + SHARD})
    with_map("index_leads_away", "plain file name", **{"lm_head.weight": "/etc/passwd"})
    with_map("index_names_a_number", "must be a string", **{"lm_head.weight": 4})
    with_map("index_names_no_shard", "missing", **{"lm_head.weight": "model-00005-of-00004.safetensors"})
    for name, text in [("not_json", "{"), ("empty_file", ""), ("array", "[]"), ("without_map", "{}"), ("map_is_a_list", '{"weight_map":[]}'), ("map_is_empty", '{"weight_map":{}}')]:
        s.model_case("index_" + name, {INDEX: text}, INDEX)


def configuration(s):
    good = json.loads((MODEL / "config.json").read_text())

    def text(name, content, mention="config.json"):
        s.model_case("config_" + name, {"config.json": content}, mention)

    def changed(name, mention=None, **keys):
        text(name, json.dumps({**good, **keys}), mention or next(iter(keys)))

    text("missing", None)
    text("empty", "")
    text("not_json", "hidden_size: 256")
    text("array", "[]")
    text("nan", json.dumps({**good, "rope_theta": float("nan")}))
    text("overflow", json.dumps(good)[:-1] + ',"x":1e999}')
    text("deep", '{"a":' * 200 + "1" + "}" * 200, "nested")
    text("key_twice", json.dumps(good)[:-1] + ',"hidden_size":256}', "hidden_size")
    text("bad_utf8", b'{"model_type":"\xff"}')
    text("no_model_type", json.dumps({k: v for k, v in good.items() if k not in ("model_type", "architectures")}), "model_type")
    s.model_case("config_is_a_directory", {"config.json": None}, "config.json", prepare=lambda path: (path / "config.json").mkdir())
    s.model_case("config_is_a_link_to_itself", {"config.json": None}, "config.json", prepare=lambda path: (path / "config.json").symlink_to("config.json"))
    changed("hidden_negative", hidden_size=-256)
    changed("hidden_zero", hidden_size=0)
    changed("hidden_a_string", hidden_size="256")
    changed("layers_huge", num_hidden_layers=10**12)
    changed("layers_a_list", num_hidden_layers=[4])
    changed("vocabulary_over_64_bits", vocab_size=2**64)
    changed("heads_not_divisible", "num_key_value_heads", num_key_value_heads=3)
    changed("no_experts", num_local_experts=0)
    changed("more_chosen_than_experts", num_experts_per_tok=33)
    changed("rotary_odd", rotary_dim=31)
    changed("model_type_unknown", "llama", model_type="llama", architectures=["LlamaForCausalLM"])
    changed("linear_attention", attn_type_list=[0, 1, 1, 1])
    changed("rope_scaled", "rope_scaling", rope_scaling={"type": "yarn", "factor": 4.0})
    changed("softmax_router", scoring_func="softmax")
    changed("shared_experts", shared_intermediate_size=64)
    changed("quantized_unknown", "quant_method", quantization_config={"quant_method": "gptq", "bits": 4})
    changed("quantized_block_zero", "weight_block_size", quantization_config={"quant_method": "fp8", "weight_block_size": [0, 128]})
    changed("quantization_a_string", quantization_config="fp8")


def weights(s):
    """Files are whole, but the model in them is not."""
    expert = "model.layers.0.block_sparse_moe.experts.0."

    def case(name, change, mention, command="quantize"):
        s.model_case(name, {FIRST: edit_header((MODEL / FIRST).read_bytes(), change), INDEX: None}, mention, command)

    def renamed(old):
        return lambda header: {(old + "_gone" if name == old else name): entry for name, entry in header.items()}

    def reshaped(name, shape=None, dtype=None):
        return lambda header: {**header, name: {**header[name], "shape": shape or header[name]["shape"], "dtype": dtype or header[name]["dtype"]}}

    case("expert_weight_missing", renamed(expert + "w1.weight"), expert + "w1.weight")
    case("expert_scale_missing", renamed(expert + "w2.weight_scale_inv"), expert + "w2.weight_scale_inv")
    case("expert_scale_wrong_shape", reshaped(expert + "w1.weight_scale_inv", [2, 1]), expert + "w1.weight_scale_inv")
    case("expert_weight_wrong_shape", reshaped(expert + "w1.weight", [256, 128]), expert + "w1.weight")
    case("expert_weight_wrong_dtype", reshaped(expert + "w1.weight", dtype="I8"), expert + "w1.weight")
    case("norm_missing", renamed("model.layers.0.input_layernorm.weight"), "model.layers.0.input_layernorm.weight", "logits")
    case("embedding_wrong_shape", reshaped("model.embed_tokens.weight", [256, 6144]), "model.embed_tokens.weight", "logits")
    case("router_missing", renamed("model.layers.0.block_sparse_moe.gate.weight"), "block_sparse_moe.gate.weight", "logits")
    case("attention_scale_missing", renamed("model.layers.0.self_attn.q_proj.weight_scale_inv"), "q_proj.weight_scale_inv", "logits")
    case("verify_expert_scale_missing", renamed(expert + "w2.weight_scale_inv"), "faults", "verify")
    s.model_case("verify_shard_truncated", {FIRST: (MODEL / FIRST).read_bytes()[:100000]}, "faults", "verify")
    s.model_case("verify_shard_missing", {SHARD: None}, "faults", "verify")
    good = json.loads((MODEL / "config.json").read_text())
    more = {**good, "num_hidden_layers": 5, "attn_type_list": [1] * 5}
    s.model_case("a_layer_too_few", {"config.json": json.dumps(more)}, "model.layers.4", "quantize")
    s.model_case("a_wider_config", {"config.json": json.dumps({**good, "hidden_size": 512})}, "shape", "quantize")
    s.add("model_does_not_exist", ["inspect", s.root / "nothing"], "nothing")
    s.add("model_is_a_file", ["inspect", MODEL / "config.json"], "not a directory")
    empty = s.root / "empty_directory"
    empty.mkdir()
    s.add("model_is_empty", ["quantize", empty, s.root / "empty_out"], "config.json", s.root / "empty_out")
    bare = s.model("no_weights", {name: None for name in [INDEX, *(p.name for p in MODEL.glob("*.safetensors"))]})
    s.add("model_without_weights", ["inspect", bare], "safetensors")


def tokenizers(s):
    good = json.loads((MODEL / "tokenizer.json").read_text())

    def text(name, content, arguments=("--text", "Hello")):
        path = s.model("tokenizer_" + name, {"tokenizer.json": content}, tokenizer_only=True)
        s.add("tokenizer_" + name, ["tokenize", path, *arguments], "tokenizer")

    def changed(name, **keys):
        text(name, json.dumps({**good, **keys}))

    def model(name, **keys):
        changed(name, model={**good["model"], **keys})

    vocabulary = good["model"]["vocab"]
    text("missing", None)
    text("empty", "")
    text("not_json", "[")
    text("array", "[]")
    text("no_model", "{}")
    changed("model_a_string", model="BPE")
    model("model_unknown", type="Telepathy")
    model("vocabulary_a_list", vocab=[])
    model("id_a_string", vocab={**vocabulary, "zz9": "7"})
    model("id_negative", vocab={**vocabulary, "zz9": -1})
    model("id_huge", vocab={**vocabulary, "zz9": 2**40})
    model("merge_unknown", merges=[*good["model"]["merges"], ["zz9", "qq8"]])
    model("merge_a_number", merges=[5])
    model("merge_of_three", merges=[["a", "b", "c"]])
    changed("added_tokens_a_number", added_tokens=5)
    changed("added_token_without_content", added_tokens=[{"id": 1}])
    changed("pre_tokenizer_unknown", pre_tokenizer={"type": "Mystery"})
    changed("regex_broken", pre_tokenizer={"type": "Split", "pattern": {"Regex": "(unclosed["}, "behavior": "Isolated", "invert": False})
    changed("decoder_unknown", decoder={"type": "Mystery"})
    s.add("ids_not_in_the_vocabulary", ["detokenize", MODEL, "--ids", "1 99999999"], "99999999")


def templates(s):
    messages = json.dumps({"messages": [{"role": "user", "content": "Hi"}]})

    def case(name, template, values=messages, mention=""):
        path, values_path = s.file(f"template_{name}.jinja", template), s.file(f"template_{name}.json", values)
        s.add("template_" + name, ["render", path, "--input", values_path], mention)

    case("tag_not_closed", "{% if messages %}x")
    case("expression_not_closed", "{{ messages")
    case("tag_unknown", "{% teleport %}", mention="teleport")
    case("filter_unknown", "{{ messages | teleport }}", mention="teleport")
    case("raises", "{{ raise_exception('the roles must alternate') }}", mention="the roles must alternate")
    case("endless_loop", "{% for i in range(1000000000000) %}{% for j in range(1000000) %}{% set x = j %}{% endfor %}{% endfor %}")
    case("endless_output", "{% for i in range(100000000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}")
    case("doubling_string", "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}")
    case("endless_macro", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")
    case("deep_expression", "{{ " + "(" * 100000 + "1" + ")" * 100000 + " }}")
    case("calls_undefined", "{{ nothing() }}", mention="nothing")
    case("divides_by_zero", "{{ 1 // 0 }}")
    case("values_not_json", "{{ messages }}", "{")
    case("values_a_list", "{{ messages }}", "[]")
    bare = s.model("template_none", {"chat_template.jinja": None}, tokenizer_only=True)
    s.add("template_none", ["render", bare, "--input", s.file("hello.json", messages)], "template")
    broken = s.model("template_of_model_broken", {"chat_template.jinja": "{% for m in messages %}"}, tokenizer_only=True)
    s.add("template_of_model_broken", ["render", broken, "--input", s.file("hello.json", messages)])
    s.add("values_missing", ["render", MODEL, "--input", s.root / "none.json"], "none.json")


def data(s):
    line = json.dumps({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}) + "\n"
    conversations = {
        "broken_line": line + '{"messages": [\n' + line,
        "line_a_list": line + "[]\n",
        "no_messages": line + '{"text": "Hi"}\n',
        "messages_a_string": '{"messages": "Hi"}\n',
        "messages_of_numbers": '{"messages": [1, 2]}\n',
        "content_a_number": '{"messages": [{"role": "user", "content": 5}]}\n',
        "bad_utf8": b'{"messages": [{"role": "user", "content": "\xff"}]}\n',
        "empty": "",
        "binary": bytes(range(256)) * 16,
    }
    for name, content in conversations.items():
        path, out = s.file(f"data_{name}.jsonl", content), s.root / f"data_{name}_out"
        s.add("calibration_" + name, ["quantize", MODEL, out, "--calibration", path], path.name, out)
        s.add("eval_" + name, ["eval", MODEL, MODEL, "--data", path, "--max-tokens", "64"], path.name)
    out = s.root / "calibration_out"
    s.add("calibration_missing", ["quantize", MODEL, out, "--calibration", s.root / "none.jsonl"], "none.jsonl", out)
    s.add("calibration_a_directory", ["quantize", MODEL, out, "--calibration", MODEL], "", out)
    s.add("system_prompts_a_number", ["quantize", MODEL, out, "--calibration", s.file("good.jsonl", line), "--system-prompts", s.file("five.json", "5")], "five.json", out)
    for name, content in {"out_of_vocabulary": "[[1, 6144]]", "negative": "[[-1]]", "strings": '[["a"]]', "floats": "[[1.5]]", "object": "{}", "flat": "[1, 2]", "none": "[]",
                          "empty": "[[]]", "not_json": "[[1,", "huge": "[[99999999999999999999]]"}.items():
        path, out = s.file(f"ids_{name}.json", content), s.root / f"ids_{name}_out"
        s.add("calibration_ids_" + name, ["quantize", MODEL, out, "--calibration-ids", path], path.name, out)
        s.add("logits_ids_" + name, ["logits", MODEL, "--ids", path, "--output", str(out) + ".safetensors"], path.name, str(out) + ".safetensors")
    s.add("logits_ids_ragged", ["logits", MODEL, "--ids", s.file("ids_ragged.json", "[[1, 2], [3]]"), "--output", s.root / "ragged.safetensors"], "ids_ragged.json",
          s.root / "ragged.safetensors")
    s.add("logits_into_nothing", ["logits", MODEL, "--ids", s.file("ids_good.json", "[[1, 2]]"), "--output", s.root / "no" / "where.safetensors"], "where.safetensors")
    s.add("quantize_below_a_file", ["quantize", MODEL, s.root / "two_ids.json" / "out"], "two_ids.json")
    s.add("quantize_over_something", ["quantize", MODEL, s.model("already_there", {})], "already_there")


def main():
    scene = Scene(pathlib.Path(sys.argv[1]))
    for part in (files, index, configuration, weights, tokenizers, templates, data):
        part(scene)
    (scene.root / "cases.json").write_text(json.dumps(scene.cases, indent=1))
    print(f"{len(scene.cases)} broken inputs")


if __name__ == "__main__":
    main()
