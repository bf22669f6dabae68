"""llama.cpp from the source distribution of llama-cpp-python: fetched, built and run; what is missing is said in one line."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-llama"
TARGETS = ("llama-bench", "llama-batched-bench", "llama-server")
OFF = ("BUILD_SHARED_LIBS", "LLAMA_OPENSSL", "LLAMA_BUILD_UI", "LLAMA_USE_PREBUILT_UI", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_APP",
       "LLAMA_ALL_WARNINGS")
ON = ("GGML_NATIVE", "LLAMA_BUILD_COMMON", "LLAMA_BUILD_TOOLS", "LLAMA_BUILD_SERVER")
PACKAGES = ("torch==2.13.0", "numpy", "safetensors", "transformers", "sentencepiece", "PyYAML")


def call(command, what, seconds=600, **more):
    """Output, or the end of the program with what could not be had and why."""
    try:
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=seconds, **more)
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"compare_llama: missing: {what}: {error}")
    if done.returncode != 0:
        last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-5:]
        sys.exit(f"compare_llama: missing: {what}: exit status {done.returncode}: " + " | ".join(last))
    return done.stdout


def source():
    """The vendor/llama.cpp folder; fetched once."""
    def found():
        return next((d for d in sorted(BUILD.glob("llama_cpp_python-*/vendor/llama.cpp")) if (d / ".whole").exists()), None)

    def archive():
        return next(iter(sorted(BUILD.glob("llama_cpp_python-*.tar.gz"))), None)

    if found() is None:
        BUILD.mkdir(exist_ok=True)
        if archive() is None:
            call([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "llama-cpp-python", "-d", BUILD],
                 "the source distribution of llama-cpp-python (pip download)")
        call(["tar", "-xzf", archive(), "-C", BUILD], "the unpacked source of llama.cpp (tar)")
        for folder in BUILD.glob("llama_cpp_python-*/vendor/llama.cpp"):
            (folder / ".whole").touch()  # an interrupted unpacking has no such file and is done again
    return found() or sys.exit("compare_llama: missing: vendor/llama.cpp in the source distribution of llama-cpp-python")


def build(jobs):
    """Folder of the three binaries."""
    where = BUILD / "build"
    if not all((where / "bin" / t).exists() for t in TARGETS):
        if shutil.which("cmake") is None:
            sys.exit("compare_llama: missing: cmake")
        print(f"building llama.cpp in {where} (once; many minutes)", file=sys.stderr)
        flags = ["-DCMAKE_BUILD_TYPE=Release", *[f"-D{o}=OFF" for o in OFF], *[f"-D{o}=ON" for o in ON]]
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        call(["cmake", "-S", source(), "-B", where, *generator, *flags], "llama.cpp (cmake)")
        call(["nice", "-n", "10", "cmake", "--build", where, "-j", jobs, "--target", *TARGETS], "llama.cpp (build)", seconds=7200)
    return where / "bin"


def convert(model, gguf):
    """`model` as GGUF; kept while it is newer than the checkpoint."""
    if gguf.exists() and gguf.stat().st_mtime > max(f.stat().st_mtime for f in model.iterdir()):
        return
    if not (model / "tokenizer.json").exists():
        sys.exit(f"compare_llama: missing: {model}/tokenizer.json, which llama.cpp's converter needs (see --tokenizer)")
    python = BUILD / "venv" / "bin" / "python"
    if not (BUILD / "venv" / ".whole").exists():
        call([sys.executable, "-m", "venv", BUILD / "venv"], "a virtual environment (python3-venv)")
        call([python, "-m", "pip", "install", "-q", *PACKAGES], "Python packages of the converter", seconds=1800)
        (BUILD / "venv" / ".whole").touch()
    partial = gguf.with_suffix(".partial")
    environment = {**os.environ, "LLAMA_CPP": str(source()), "PYTHONDONTWRITEBYTECODE": "1"}
    call([python, ROOT / "bench" / "_convert_gguf.py", model, "--outfile", partial, "--outtype", "bf16"], f"{model} as GGUF", seconds=7200, env=environment)
    partial.rename(gguf)


def rates(binaries, gguf, o):
    """Tokens a second {figure: value}, one run each; decoding begins behind 512 tokens, as in `tetrad bench`."""
    prompt, generate, width = o.prompt, o.generate, o.batch
    out = call([binaries / "llama-bench", "-m", gguf, "-t", o.threads, "-p", prompt, "-n", 0, "-r", 1, "-o", "json"], "llama-bench")
    result = {f"prefill {prompt}": json.loads(out)[0]["avg_ts"]}
    context = width * (prompt + generate) + 64 * width
    out = call([binaries / "llama-batched-bench", "-m", gguf, "-t", o.threads, "-tb", o.threads, "-c", context, "-npp", prompt, "-ntg", generate,
                "-npl", f"1,{width}", "--output-format", "jsonl"], "llama-batched-bench")
    for line in out.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            result[f"decode, batch {row['pl']}"] = row["speed_tg"]
    return result
