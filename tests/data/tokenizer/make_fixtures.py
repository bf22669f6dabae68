"""Makes the golden files in this folder with Hugging Face tokenizers (0.23.3): python make_fixtures.py

pipelines.json  small tokenizers, one for each component and option, with the ids and texts that the reference gives
regex.json      matches of Oniguruma for patterns that PCRE2 would read otherwise
unicode.json    normal forms and lower case
tiny_m2.json    ids of the bundled model's tokenizer
"""
import itertools
import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

TRAINING = [
    "The quick brown fox jumps over the lazy dog. It's 1234567 o'clock; they'll say we're late, don't they? ",
    "def encode(text, add_special_tokens=True):\n    return tokenizer.encode(text)  # the ids of the text\n",
    "the thing that there is, then they think about things: this, those and the other. under_score CamelCase ",
    "Größe, déjà vu, naïve café, señor, Привет мир, 你好世界, こんにちは世界, 안녕하세요 세계, שלום עולם. ",
]

TEXTS = [
    "", " ", "  ", "a", "\n", "Hello world", " Hello  world ", "The quick brown fox", "it's they'll WE'RE I'D don'T",
    "1", "12", "123", "1234567 89", "x1y22z333", "\u0663\u0664\u0665 \u00bd\u00b2 \u2167", "a\r\nb\r\n\r\nc \n d\t\te", "   leading and trailing   ",
    "under_score CamelCase HTTPServer", "...!? (a) [b] {c} <d> --- ===", "$1,234.56 + 7% = \u20ac8", "caf\u00e9 cafe\u0301 \u212b \ufb01 \u1e9b\u0323",
    "\u4f60\u597d\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f\u30ab\u30ca", "\uc548\ub155 \u1112\u1161\u11ab\u1100\u1173\u11af", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u0939\u093f\u0928\u094d\u0926\u0940",
    "\U0001f600 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd", "\u0000\u0001\u007f\u0085\u00a0\u2028\u3000\ufeff", "\u2581x\u2581 \u0120y", "\u0130\u0131\u01c5 STRASSE stra\u00dfe \u03a3\u03c3\u03c2",
    "\U00031350\U00010d40\u180e\u0897\U00011938", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the the the  the\nthe\tthe",
    "<s>hi</s> <s> hi </s>", "x<mask>y <mask> z  <mask>  w", "wordword word words wordword word", "[CLS]a[SEP]", "Day day DAY monday DAY.", "<tok><tok2><tok", "</s", "\ufffd\ud7ff\ue000",
]

GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MINIMAX = json.loads((ROOT / "models/tiny-minimax-m2/tokenizer.json").read_text())["pre_tokenizer"]


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*parts, key="pretokenizers"):
    return {"type": "Sequence", key: list(parts)}


def token(content, special=False, **flags):
    base = dict(single_word=False, lstrip=False, rstrip=False, normalized=not special, special=special)
    return dict(content=content, **{**base, **flags})


def byte_model():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return json.loads(t.to_str())["model"]


def char_model():
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Replace(" ", "\u2581")
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=470, special_tokens=special, show_progress=False))
    return json.loads(t.to_str())["model"]


def affix_model():
    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=260, special_tokens=["<unk>"], continuing_subword_prefix="##", end_of_word_suffix="</w>", show_progress=False))
    return json.loads(t.to_str())["model"]


def pipelines():
    out = []

    def add(name, model, added=(), normalizer=None, pre_tokenizer=None, decoder=None, post_processor=None, **options):
        out.append(dict(name=name, model=model, options=options, added_tokens=list(added), normalizer=normalizer, pre_tokenizer=pre_tokenizer, post_processor=post_processor, decoder=decoder))

    s, e = token("<s>", True), token("</s>", True)
    add("gpt2", "bytes", [s], pre_tokenizer=GPT2, decoder=GPT2, post_processor=GPT2)
    add("gpt2 prefix space", "bytes", pre_tokenizer={**GPT2, "add_prefix_space": True}, decoder=GPT2)
    add("byte level alone", "bytes", pre_tokenizer=BYTES, decoder=sequence(BYTES, {"type": "Fuse"}, key="decoders"))
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [400], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [401], "tokens": ["</s>"]}}}
    add("llama3", "bytes", [s, e], pre_tokenizer=sequence(split(LLAMA3), BYTES), decoder=GPT2, post_processor=sequence(GPT2, template, key="processors"), ignore_merges=True)
    add("qwen", "bytes", [s, token("<tok>", normalized=False)], {"type": "NFC"}, sequence(split(LLAMA3.replace("{1,3}", "")), BYTES), GPT2)
    add("minimax", "bytes", [s], pre_tokenizer=MINIMAX, decoder=GPT2)
    add("deepseek", "bytes", [token("\uff5cday\u2581\uff5c", True)], sequence(key="normalizers"), sequence(split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"), BYTES), GPT2)
    add("smollm", "bytes", [s], pre_tokenizer=sequence({"type": "Digits", "individual_digits": True}, GPT2), decoder=GPT2)
    add("digits", "bytes", pre_tokenizer=sequence({"type": "Digits", "individual_digits": False}, BYTES), decoder=GPT2)
    for behavior in ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        add(f"punctuation {behavior}", "bytes", pre_tokenizer=sequence({"type": "Punctuation", "behavior": behavior}, BYTES), decoder=GPT2)
        for invert in (False, True):
            add(f"split {behavior} {invert}", "bytes", pre_tokenizer=sequence(split(r"\s|[aeiou]+", behavior, invert), BYTES), decoder=GPT2)
    add("split string", "bytes", pre_tokenizer=sequence(split("the", "MergedWithNext", kind="String"), BYTES), decoder=GPT2)
    add("whitespace", "bytes", pre_tokenizer=sequence({"type": "Whitespace"}, BYTES), decoder=GPT2)
    add("whitespace split", "bytes", pre_tokenizer=sequence({"type": "WhitespaceSplit"}, BYTES), decoder=GPT2)
    add("byte level first", "bytes", pre_tokenizer=sequence(BYTES, split("\u0120", "MergedWithNext", kind="String")), decoder=GPT2)
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"):
        add(form, "bytes", [token("Day"), token("DAY", normalized=False)], {"type": form}, GPT2, GPT2)
    add("strip", "bytes", normalizer={"type": "Strip", "strip_left": True, "strip_right": True}, pre_tokenizer=GPT2, decoder=GPT2)
    add("strip left", "chars", normalizer={"type": "Strip", "strip_left": True, "strip_right": False}, pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True})
    add("byte level normalizer", "bytes", normalizer={"type": "ByteLevel"}, decoder=GPT2)
    add("replace regex", "bytes", normalizer={"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}, pre_tokenizer=GPT2, decoder=GPT2)
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    for values in itertools.product((False, True), repeat=4):
        options = dict(zip(flags, values))
        add(f"added {options}", "bytes", [token("<mask>", **options), token("word", **options), token("<tok>"), token("<tok2>"), token("Day", **options)], {"type": "Lowercase"}, GPT2, GPT2)
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    spm = sequence({"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}, key="decoders")
    add("llama2", "chars", [s, e], sequence({"type": "Prepend", "prepend": "\u2581"}, replace, key="normalizers"), None, spm)
    add("gemma", "chars", [s], replace, split(" ", "MergedWithPrevious", kind="String"), sequence({"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, key="decoders"))
    for fallback, fuse in itertools.product((False, True), repeat=2):
        add(f"unknown {fallback} {fuse}", "chars", [s], replace, None, spm, byte_fallback=fallback, fuse_unk=fuse)
    add("no unknown", "chars", [s], replace, None, spm, byte_fallback=False, unk_token=None)
    for scheme, cut in itertools.product(("always", "first", "never"), (True, False)):
        meta = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": cut}
        add(f"metaspace {scheme} {cut}", "chars", [s, token("<mask>", lstrip=True)], None, meta, meta)
    add("no decoder", "chars", [s], replace)
    add("byte fallback then metaspace", "chars", [s], replace, None, sequence({"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}, key="decoders"))
    add("affixes", "affixes", pre_tokenizer={"type": "Whitespace"}, decoder={"type": "BPEDecoder", "suffix": "</w>"})
    add("bert processor", "bytes", pre_tokenizer=GPT2, decoder=GPT2, post_processor={"type": "BertProcessing", "sep": ["b", 66], "cls": ["a", 65]})
    add("roberta processor", "bytes", pre_tokenizer=GPT2, decoder=GPT2, post_processor={"type": "RobertaProcessing", "sep": ["b", 66], "cls": ["a", 65], "trim_offsets": True, "add_prefix_space": True})
    return out


def make_pipelines():
    base = {"bytes": byte_model(), "chars": char_model(), "affixes": affix_model()}
    random_ids = random.Random(1)
    result = []
    for p in pipelines():
        model = {**base[p["model"]], **p["options"]}
        size = len(model["vocab"])
        added = []
        next_id = size
        for a in p["added_tokens"]:
            known = model["vocab"].get(a["content"])
            added.append({"id": next_id if known is None else known, **a})
            next_id += known is None
        p["added_tokens"] = added
        rest = {k: p[k] for k in ("normalizer", "pre_tokenizer", "post_processor", "decoder")}
        t = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, **rest, "model": model}))
        p["ids"] = [t.encode(x, add_special_tokens=False).ids for x in TEXTS]
        p["with_special"] = [t.encode(x, add_special_tokens=True).ids for x in (TEXTS[0], TEXTS[5])]
        p["decodes"] = []
        for n in range(12):
            ids = [random_ids.randrange(next_id + 3) for _ in range(random_ids.randint(0 if p["decoder"] is None or p["decoder"]["type"] != "BPEDecoder" else 1, 12))] if n else [i for x in p["ids"][5:8] for i in x]
            if p["model"] == "chars" and n > 6:
                ids = [i if random_ids.random() < 0.3 else random_ids.choice([227, 229, 231, 131, 187, 199, 3 + 0xE4, 3 + 0xBD, 3 + 0xA0]) for i in ids]
            try:
                p["decodes"].append([ids, t.decode(ids, skip_special_tokens=False), t.decode(ids, skip_special_tokens=True)])
            except BaseException:  # BPEDecoder panics when nothing is left
                pass
        result.append(p)
    write("pipelines.json", {"models": base, "texts": TEXTS, "pipelines": result})


PATTERNS = [
    r"\p{N}{1,3}+", r"[a-z&&[^aeiou]]+", r"[^a-z&&[^aeiou]]+", r"[\p{L}&&[^\p{Han}]]+", r"\h+", r"\H+", r"(?m:.)+", r".+", r"\bfoo\b",
    r"\w+", r"\W+", r"[\w']+", r"[[:alpha:]]+", r"[[:space:][:digit:]]+", r"[^[:alpha:]]+", r"\u4e2d+", r"\x{4e2d}|\x41", r"a{,2}b", r"a{2}?",
    r"a{1,2}?", r"^\w", r"\w$", r"a++b", r"(?>a+)b", r"(?<=a)b", r"(?<!a)b", r"\p{^L}+", r"\P{^L}+", r"\p{Han}+", r"\p{Letter}+", r"\p{Upper}+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"[a[bc]d]+", r"[\d\-x]+", r"\s+(?!\S)|\s+", r"x*", r"(a|b)+c?", r"\v|\t|\f", r"\R", r"\Aa|b\z|c\Z",
    r"{x}|a{x}", r"[^\S\n]+", r"\p{C}+", r"\d{2,}", r"\Bo", r"[.\]\[]+", r"(?-i:A)b", r"[\^a]+", r"[^\P{L}]+", r"\p{Greek}+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
]
SUBJECTS = [
    "foo bar foobar fo\u0301o foo", "aaaab aab ab b", "12345 \u0663\u0664\u0665 \u00bd\u00b2\u2167\u2460", "Hello World's don'T I'LL", "\u4e2d\u6587 \u6f22\u5b57kana \u304b\u306a \u30fc\u3005",
    "a\nb\r\nc\r\n\r\n  \n x", "deadBEEF 0x12fg", "x1-2_3 [a.b] {x} a{x}", "e\u0301\u0301 \u0915\u094d \U0001f469\u200d\U0001f467", "\t\u000b\f\u0085\u00a0\u2028\u3000 z",
    "\u03b1\u03b2\u03b3 \u0416\u0417 \u03a9K", "\U00031350\U00010d40\u180e\u0897x", "''s'S'\u017f 'Ll", "\u0007\u001b\ue000\u200b\u0378", "^^^a\\/-# Ab",
]


def make_regex():
    cases = []
    for pattern in PATTERNS:
        splitter = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        found = []
        for text in SUBJECTS:
            at = lambda n: len(text[:n].encode())
            found.append([[at(a), at(b)] for _, (a, b) in splitter.pre_tokenize_str(text) if b > a])
        cases.append({"pattern": pattern, "matches": found})
    write("regex.json", {"subjects": SUBJECTS, "cases": cases})


def make_unicode():
    rng = random.Random(2)
    forms = {"NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKC": normalizers.NFKC(), "NFKD": normalizers.NFKD(), "Lowercase": normalizers.Lowercase()}
    marks = [0x300, 0x301, 0x323, 0x327, 0x334, 0x345, 0x93C, 0x94D, 0x1161, 0x11A8, 0x3099, 0x309A, 0x20DD, 0x5B0, 0x64B, 0x11930, 0x1E08F, 0x10EFD]
    bases = [0x61, 0x6F, 0x41, 0x1100, 0xAC00, 0x304B, 0x5D0, 0x915, 0xF9, 0x1EA1, 0x212B, 0xFB01, 0x1D49C, 0x2126, 0x11935, 0x11938, 0x32FF, 0xA7F2, 0x1E030, 0x130, 0xA7CB, 0x10D50, 0x16EA0, 0xFDFA, 0x2F801]
    texts = ["".join(chr(rng.choice(bases)) + "".join(chr(rng.choice(marks)) for _ in range(rng.randint(0, 4))) for _ in range(rng.randint(1, 5))) for _ in range(120)]
    write("unicode.json", [[text, {name: form.normalize_str(text) for name, form in forms.items()}] for text in texts])


def make_tiny():
    t = Tokenizer.from_file(str(ROOT / "models/tiny-minimax-m2/tokenizer.json"))
    texts = TEXTS + TRAINING + ["]~!b[]~b]user\nhi[e~[\n]~b]ai\n<think>\nhm\n</think>\n\n<minimax:tool_call>\n<invoke name=\"x\">"]
    write("tiny_m2.json", [[text, t.encode(text).ids] for text in texts])


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    make_pipelines()
    make_regex()
    make_unicode()
    make_tiny()
