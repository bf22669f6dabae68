#!/usr/bin/env python3
"""How cost grows: tokens/s over context, batch, experts and layers of MiniMax-M2.7's width, as tables and plots.

  scaling.py [--output docs/scaling] [--only batch experts layers context] [--longest 32768] [--repeat 3] [--directory /tmp] [--tetrad build/tetrad]

Random NVFP4 models are made in --directory (4 GB) and removed again. Writes OUTPUT.json and OUTPUT-*.svg and prints the tables in Markdown. --only leaves the
other series of OUTPUT.json as they are. A run takes a quarter of an hour on two cores, half of it the prompts of 16,384 tokens and more.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH, HEIGHT, MARGIN = 420, 260, 52


class Bench:
    def __init__(self, tetrad, directory, repeat):
        self.tetrad, self.directory, self.repeat = tetrad, directory, repeat

    def run(self, *command):
        done = subprocess.run(list(map(str, (self.tetrad, *command))), capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"tetrad {' '.join(map(str, command))}: {done.stderr}")
        return done.stdout

    def model(self, layers, experts):
        path = self.directory / f"{layers}x{experts}"
        if not path.exists():
            self.run("make-model", path, "--like", "minimax-m2.7", "--layers", layers, "--experts", experts, "--vocab", 32768, "--format", "nvfp4")
        return path

    def measure(self, model, prompt, concurrency, repeat=None):
        flags = [f for c in concurrency for f in ("--concurrency", c)]
        return json.loads(self.run("bench", model, "--prompt", prompt, "--generate", 16, "--repeat", repeat or self.repeat, "--kv-cache-dtype", "bfloat16", *flags, "--json", "-", "--quiet"))


def over_context(bench, longest):
    """One layer: its attention is what grows. A prompt of 16,384 tokens and more is measured once."""
    rows = []
    for context in (n for n in (16, 512, 2048, 4096, 8192, 16384, 32768) if n <= longest):
        result = bench.measure(bench.model(1, 8), context, [1], 1 if context > 8192 else None)
        rows.append({"context": context, "decode": result["decode"][0]["tokens_per_second_median"], "prefill": result["prefill"][0]["tokens_per_second_median"]})
    return rows


def over_batch(bench):
    result = bench.measure(bench.model(8, 32), 16, [1, 2, 4, 8, 16, 32, 64])
    return [{"batch": d["concurrency"], "decode": d["tokens_per_second_median"], "MB a step": d["weight_bytes_per_step"] / 1e6} for d in result["decode"]]


def over_models(bench, name, shapes):
    rows = []
    for shape in shapes:
        result = bench.measure(bench.model(*shape), 512, [1])
        rows.append({name: shape[0] if name == "layers" else shape[1], "decode": result["decode"][0]["tokens_per_second_median"], "prefill": result["prefill"][0]["tokens_per_second_median"]})
    return rows


def table(rows):
    def cell(value):
        return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:.1f}"

    names = list(rows[0])
    return "\n".join(["| " + " | ".join(names) + " |", "|" + "---|" * len(names), *("| " + " | ".join(cell(r[n]) for n in names) + " |" for r in rows)])


def plot(rows, x, path):
    """Lines of every other column over x, both axes logarithmic in base 2: what is proportional is a straight line."""
    columns = [n for n in rows[0] if n in ("decode", "prefill")]
    values = [r[c] for r in rows for c in columns]
    low_x, high_x = math.log2(rows[0][x]), math.log2(rows[-1][x])
    low_y, high_y = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))

    def point(row, column):
        return (MARGIN + (math.log2(row[x]) - low_x) / (high_x - low_x or 1) * (WIDTH - MARGIN - 16), HEIGHT - 40 - (math.log2(row[column]) - low_y) / (high_y - low_y) * (HEIGHT - 64))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>']
    for power in range(low_y, high_y + 1):
        y = HEIGHT - 40 - (power - low_y) / (high_y - low_y) * (HEIGHT - 64)
        out.append(f'<path d="M{MARGIN} {y:.1f}H{WIDTH - 16}" stroke="#ddd"/><text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{2 ** power:,g}</text>')
    for row in rows:
        px = point(row, columns[0])[0]
        label = f"{row[x] // 1024}k" if row[x] >= 1024 else row[x]
        out.append(f'<text x="{px:.1f}" y="{HEIGHT - 24}" text-anchor="middle">{label}</text>')
    for column, colour in zip(columns, ("#0b62a8", "#c2500a")):
        points = [point(r, column) for r in rows]
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="' + " ".join(f"{a:.1f},{b:.1f}" for a, b in points) + '"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        out.append(f'<text x="{MARGIN + 120 * columns.index(column)}" y="14" fill="{colour}">{column}, tokens/s</text>')
    out.append(f'<text x="{(WIDTH + MARGIN) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{x}</text></svg>')
    path.write_text("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs" / "scaling")
    parser.add_argument("--only", nargs="+", choices=("batch", "experts", "layers", "context"))
    parser.add_argument("--longest", type=int, default=32768)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()))
    parser.add_argument("--tetrad", type=pathlib.Path, default=ROOT / "build" / "tetrad")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=o.directory, prefix="tetrad-scaling-") as scratch:
        bench = Bench(o.tetrad, pathlib.Path(scratch), o.repeat)
        measures = {"batch": lambda: over_batch(bench), "experts": lambda: over_models(bench, "experts", [(1, n) for n in (8, 16, 32, 64, 128, 256)]),
                    "layers": lambda: over_models(bench, "layers", [(n, 32) for n in (1, 2, 4, 8)]), "context": lambda: over_context(bench, o.longest)}
        o.output.parent.mkdir(parents=True, exist_ok=True)
        results = o.output.with_suffix(".json")
        series = json.loads(results.read_text()) if o.only and results.exists() else {}
        for name in o.only or measures:  # each is kept at once: an interrupted run loses one
            series[name] = measures[name]()
            results.write_text(json.dumps(series, indent=1) + "\n")
            plot(series[name], name, o.output.with_name(f"{o.output.name}-{name}.svg"))
            print(f"\n{name}\n\n{table(series[name])}", flush=True)


if __name__ == "__main__":
    main()
