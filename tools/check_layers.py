#!/usr/bin/env python3
"""Dependencies go downwards only: compares the includes of src/ with each folder's DEPS and with the order of src/CMakeLists.txt.

A folder may include its own files and those of its DEPS; its DEPS must stand above it in src/CMakeLists.txt. Third-party headers that are slow to
compile may be included only where HEAVY says. Exits with 1 and one line a fault.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
# header prefix -> folders whose .cpp files may include it (never a .h)
HEAVY = {"CLI/": {"cli"}, "pcre2.h": {"tokenizer"}, "utf8proc.h": {"tokenizer", "jinja", "report"}}
NEVER_IN_HEADERS = ("nlohmann/json.hpp", "CLI/", "pcre2.h", "utf8proc.h", "fmt/")  # but for *_impl.h, which are private to two or three .cpp


def declared():
    order = re.findall(r"^add_subdirectory\((\w+)\)", (SRC / "CMakeLists.txt").read_text(), re.M)
    deps = {}
    for folder in order:
        text = (SRC / folder / "CMakeLists.txt").read_text()
        match = re.search(r"tetrad_library\(\w+(?:\s+DEPS\s+([\w\s]+?))?(?:\s+LINK[^)]*)?\)", text)
        deps[folder] = set((match.group(1) or "").split()) if match else set(order)  # cli is a program: it may use everything
    return order, deps


def main():
    order, deps = declared()
    faults = []
    folders = {p.name for p in SRC.iterdir() if p.is_dir()}
    faults += [f"src/{f}: not in src/CMakeLists.txt" for f in sorted(folders - set(order))]
    for rank, folder in enumerate(order):
        faults += [f"src/{folder}/CMakeLists.txt: {d} is not a lower folder" for d in sorted(deps[folder] - set(order[:rank])) if folder != "cli"]
        used = set()
        for path in sorted((SRC / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            where = path.relative_to(ROOT)
            for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', text)
                if not match:
                    continue
                quote, name = match.groups()
                if path.suffix == ".h" and not path.stem.endswith(("_impl", "_fixture")) and name.startswith(NEVER_IN_HEADERS):
                    faults.append(f"{where}:{line}: <{name}> is too slow to compile for a header")
                for prefix, allowed in HEAVY.items():
                    if name.startswith(prefix) and folder not in allowed:
                        faults.append(f"{where}:{line}: <{name}> belongs to {', '.join(sorted(allowed))} only")
                if quote == '"' and "/" in name:
                    top = name.split("/")[0]
                    if top in folders and top != folder:
                        used.add(top)
                        if top not in deps[folder]:
                            faults.append(f"{where}:{line}: {folder} may not use {top} (see DEPS in src/{folder}/CMakeLists.txt)")
                    if not (SRC / name).exists() and top in folders:
                        faults.append(f"{where}:{line}: no such file: {name}")
        if folder != "cli":
            faults += [f"src/{folder}/CMakeLists.txt: {d} is in DEPS but not used" for d in sorted(deps[folder] - used)]
    print("\n".join(faults) or f"layers: {len(order)} folders, dependencies go downwards only")
    sys.exit(1 if faults else 0)


main()
