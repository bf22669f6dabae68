#!/usr/bin/env python3
"""Compares tetrad's tokenizer with Hugging Face `tokenizers` (pip install tokenizers), id by id.

  compare_tokenizers.py TETRAD DIRECTORY... [--text FILE_OR_FOLDER]... [--seed N]

Every DIRECTORY holds a tokenizer.json. Texts are the given files (of a .jsonl each line's strings) and generated ones: all
Unicode planes, combining marks, emoji, line-end mixes, long runs, the tokenizer's own added tokens whole, cut and glued. They
are joined to documents, and each document is tokenized with and without special tokens; random ids are decoded with and
without skipping special tokens. Prints a table; exit status 1 when anything differs.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from tokenizers import Tokenizer
except ImportError:
    sys.exit("error: the Python package `tokenizers` is missing\nhint: pip install tokenizers")

DOCUMENT = 200_000  # characters; one run of tetrad each
PARTS = [
    " ", "  ", "\n", "\r", "\r\n", "\t", "\x0b", "\x0c", "\x85", "\xa0", "\u3000", "\u200b", "\u2028", "\u180e", "'s", "'S", "'\u017f", "'LL", "'re", "\u2019s",
    "a", "B", "Z", "\u00e9", "e\u0301", "\u212b", "\u00df", "\u0130", "\u0131", "\u01c5", "\u02b0", "\u4e2d", "\u6587", "\u306e", "\u30ab", "\u30fc", "\ud55c",
    "\u1100", "\u1161", "\u11a8", "\u0639", "\u05d4", "\u0e44", "\u0e33", "\u0915\u094d", "\U0001f600", "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", "1", "23", "\u0663", "\u00bd", "\u00b2", "\u2167", "\u2460", "_", "-", "/", "//", ".", "...", "!?", "$", "\u20ac",
    "+", "`", "\\", "<", ">", "|", "{", "}", '"', "#", "@", "~", "\u2581", "\u0120", "\u010a", "\u00c3", "\ufffd", "\u0600", "\ue000", "\U0001d49c", "\U00020000",
    "\U00031350", "\U00010d40", "\U00011f02", "\U0001e030", "\0", "\x1b",
]
MARKS = [0x300, 0x301, 0x323, 0x327, 0x345, 0x334, 0x93C, 0x94D, 0x1161, 0x11A8, 0x3099, 0x309A, 0x20DD, 0xFE0F, 0x200D, 0x1F3FD, 0x5B0, 0x64B, 0x651, 0x670]


def characters(first, last):
    return [chr(c) for c in range(first, last) if not 0xD800 <= c < 0xE000]


def generated(added, rng):
    """Short strings that are hard for a tokenizer."""
    for start in range(0, 0x20000, 64):
        block = characters(start, start + 64)
        for glue in ("", " ", "a", "'", "1") if block else ():
            yield glue.join(block)
    for start in range(0x20000, 0x110000, 1024):
        yield "".join(characters(start, start + 1024)[::37])
    for _ in range(3000):
        yield "".join(rng.choice(PARTS) for _ in range(rng.randint(1, 30)))
    for _ in range(1000):
        yield "".join(rng.choice("aeoAu \u1100\uac00\u304b\u05d0\u0915") + "".join(chr(rng.choice(MARKS)) for _ in range(rng.randint(0, 5))) for _ in range(8))
    for unit in (" ", "\n", "\r\n", "\t", "a", "A", "1", "=", "-", "\u4e2d", "\u00e9", "\U0001f600", "\u0301", "\u00a0", " \n", "\n "):
        for count in (2, 3, 7, 16, 17, 33, 64, 128, 255, 1000, 5000):
            yield unit * count + rng.choice(["", "x", " z"])
    for token in added if len(added) <= 300 else rng.sample(added, 300):
        yield from (token, f" {token}", f"{token} ", f"x{token}y", token * 2, f"\n{token}\n", token[:-1], token[1:], token[: len(token) // 2] + token, token.upper(), token + "\u0301")
    for _ in range(1500):
        yield "".join(rng.choice(added) if added and rng.random() < 0.4 else rng.choice(PARTS) for _ in range(rng.randint(1, 20)))


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings_of(item)


def given(paths):
    files = [f for p in paths for f in (sorted(p.rglob("*")) if p.is_dir() else [p]) if f.is_file()]
    for file in files:
        text = file.read_bytes().decode("utf-8", errors="replace")
        if file.suffix == ".jsonl":
            for line in text.splitlines():
                yield from strings_of(json.loads(line))
        else:
            yield text


def documents(texts):
    """Joins texts to documents of about DOCUMENT characters. The first few short ones stay alone: begins and ends matter."""
    yield from ("", " ", "\n", "a", " a", "a ")
    count, pending, size = 0, [], 0
    for text in texts:
        count += 1
        if count % 400 == 1:
            yield text
            continue
        pending.append(text)
        size += len(text)
        if size > DOCUMENT:
            yield "\n".join(pending)
            pending, size = [], 0
    if pending:
        yield "\n".join(pending)


def run(command):
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command[:3])}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def first_difference(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def compare(tetrad, directory, texts, seed):
    reference = Tokenizer.from_file(str(directory / "tokenizer.json"))
    reference.no_truncation()
    reference.no_padding()
    rng = random.Random(seed)
    added = [token.content for token in reference.get_added_tokens_decoder().values()]
    row = {"texts": 0, "bytes": 0, "ids": 0, "differing": 0, "decodes": 0, "decodes differing": 0}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "text"
        for text in documents(texts + list(generated(added, rng))):
            file.write_bytes(text.encode())
            for special in (False, True):
                ours = json.loads(run([tetrad, "tokenize", str(directory), "--file", str(file)] + ["--add-special-tokens"] * special))
                theirs = reference.encode(text, add_special_tokens=special).ids
                row["texts"] += 1
                row["bytes"] += file.stat().st_size
                row["ids"] += len(theirs)
                if ours != theirs:
                    row["differing"] += 1
                    at = first_difference(ours, theirs)
                    print(f"{directory}: id {at} of {len(theirs)} differs in {text[:40]!r}...: {ours[at:at + 3]} instead of {theirs[at:at + 3]} after {reference.decode(theirs[max(0, at - 8):at])!r}")
    for _ in range(20):
        ids = [rng.choice([i for i in (rng.randrange(reference.get_vocab_size()), rng.randrange(300))]) for _ in range(200)]
        ids = [i for i in ids if reference.id_to_token(i) is not None]
        for skip in (False, True):
            ours = run([tetrad, "detokenize", str(directory), "--ids", " ".join(map(str, ids))] + ["--skip-special-tokens"] * skip)
            row["decodes"] += 1
            row["decodes differing"] += ours != reference.decode(ids, skip_special_tokens=skip).encode()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tetrad")
    parser.add_argument("directories", nargs="+", type=pathlib.Path, metavar="DIRECTORY")
    parser.add_argument("--text", action="append", default=[], type=pathlib.Path, metavar="FILE_OR_FOLDER")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    texts = list(given(options.text))
    differing = 0
    for number, directory in enumerate(options.directories):
        row = compare(options.tetrad, directory, texts, options.seed)
        if number == 0:
            print(f"{'tokenizer':<28}" + "".join(f"{name:>19}" for name in row))
        print(f"{directory.name:<28}" + "".join(f"{value:>19,}" for value in row.values()), flush=True)
        differing += row["differing"] + row["decodes differing"]
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
