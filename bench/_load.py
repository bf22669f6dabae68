"""A load of streamed completions against one OpenAI-compatible server: raw sockets under asyncio, one process, and what they measured."""
import asyncio
import json
import random
import resource
import statistics
import time

WORDS = "river stone amber winter copper garden signal harbor meadow lantern orbit velvet thunder maple canyon silver".split()


class Stream:
    """One request and when its tokens came."""

    def __init__(self):
        self.begin = time.perf_counter()
        self.times, self.output_tokens, self.prompt_tokens, self.error, self.end = [], 0, 0, None, None

    def event(self, data):
        """An event with text is taken as a token; the exact count comes from `usage`, as text may wait for the rest of a character."""
        value = json.loads(data)
        if "error" in value:
            self.error = str(value["error"])[:200]
        for choice in value.get("choices") or []:
            delta = choice.get("delta") or {}
            if choice.get("text") or delta.get("content") or delta.get("reasoning_content"):
                self.times.append(time.perf_counter())
        usage = value.get("usage") or {}
        self.output_tokens = usage.get("completion_tokens", self.output_tokens)
        self.prompt_tokens = usage.get("prompt_tokens", self.prompt_tokens)

    async def run(self, host, port, request):
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 22)
        try:
            self.begin = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if head.split(b" ", 2)[1] != b"200":
                raise OSError(f"{head.splitlines()[0].decode()}: {(await reader.read(400)).decode(errors='replace')}")
            await self.body(reader, b"transfer-encoding: chunked" in head)
        finally:
            writer.close()
        self.end = time.perf_counter()

    async def body(self, reader, chunked):
        """Events end with an empty line; a chunk may hold several, or a part of one."""
        rest = b""
        while True:
            if chunked:
                size = int((await reader.readuntil(b"\n")).split(b";")[0], 16)
                piece = await reader.readexactly(size + 2)
                piece = piece[:-2]
            else:
                piece = await reader.read(1 << 16)
            if not piece:
                raise OSError("the stream ended without [DONE]")
            *events, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
            for event in events:
                if event.startswith(b"data: [DONE]"):
                    return
                if event.startswith(b"data: "):
                    self.event(event[6:])


def make_request(options, number, target):
    """Prompts begin with tokens of their own, so that a prefix cache finds only what --shared-prefix allows."""
    shared, own = random.Random(options.seed), random.Random(f"{options.seed}-{number}")
    count = max(0, options.prompt_tokens - options.shared_prefix)
    prefix = options.prompt_tokens - count
    body = {"model": target.name, "max_tokens": options.max_tokens, "temperature": 0, "ignore_eos": True, "stream": True,
            "stream_options": {"include_usage": True}}
    if options.api == "completions":
        ids = [shared.randrange(100, target.vocabulary) for _ in range(prefix)] + [own.randrange(100, target.vocabulary) for _ in range(count)]
        body["prompt"] = ids
    else:
        body["messages"] = [{"role": "user", "content": " ".join([shared.choice(WORDS) for _ in range(prefix)] + [own.choice(WORDS) for _ in range(count)])}]
    path = "/v1/completions" if options.api == "completions" else "/v1/chat/completions"
    data = json.dumps(body).encode()
    key = f"Authorization: Bearer {options.api_key}\r\n" if options.api_key else ""
    return (f"POST {path} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nContent-Type: application/json\r\n{key}"
            f"Connection: close\r\nContent-Length: {len(data)}\r\n\r\n").encode() + data


async def round_of(options, target, concurrency, first):
    """(streams, seconds, the client's CPU seconds) of one round; request numbers from `first`."""
    count = options.requests or max(16, 2 * concurrency)
    waiting = [make_request(options, first + i, target) for i in range(count)]
    streams = []

    async def worker():
        while waiting:
            request, stream = waiting.pop(), Stream()
            streams.append(stream)
            try:
                await asyncio.wait_for(stream.run(target.host, target.port, request), options.timeout)
            except (OSError, ValueError, IndexError, EOFError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                stream.error = f"{type(error).__name__}: {error}"[:300]
            if stream.error is None and stream.output_tokens != options.max_tokens:
                stream.error = f"{stream.output_tokens} tokens instead of {options.max_tokens}"

    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu, began = usage.ru_utime + usage.ru_stime, time.perf_counter()
    await asyncio.gather(*[worker() for _ in range(concurrency)])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return streams, time.perf_counter() - began, usage.ru_utime + usage.ru_stime - cpu


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


def quantiles(seconds):
    return {f"p{round(100 * part)}": None if not seconds else percentile(seconds, part) * 1000 for part in (0.5, 0.9, 0.99)}


def summarize(concurrency, rounds):
    """One row of the report; milliseconds, tokens a second."""
    streams = [s for r in rounds for s in r[0]]
    good = [s for s in streams if s.error is None]
    rates = [sum(s.output_tokens for s in r[0] if s.error is None) / r[1] for r in rounds]
    return {"concurrency": concurrency, "requests": len(streams), "errors": len(streams) - len(good),
            "first_error": next((s.error for s in streams if s.error), None),
            "prompt_tokens": statistics.median([s.prompt_tokens for s in good] or [0]),
            "tokens_per_second": {"median": statistics.median(rates), "min": min(rates), "max": max(rates)},
            "events_per_token": sum(len(s.times) for s in good) / max(1, sum(s.output_tokens for s in good)),
            "ttft_ms": quantiles([s.times[0] - s.begin for s in good if s.times]),
            "itl_ms": quantiles([b - a for s in good for a, b in zip(s.times, s.times[1:])]),
            "e2e_ms": quantiles([s.end - s.begin for s in good]),
            "client_cpu_share": sum(r[2] for r in rounds) / sum(r[1] for r in rounds)}


def notes(row):
    """What a reader must know before trusting the row."""
    if row["errors"]:
        yield f"{row['errors']} of {row['requests']} requests failed, the first: {row['first_error']}"
    if row["requests"] > row["errors"] and row["events_per_token"] < 0.9:  # tokens without text, or several in an event
        yield f"{row['events_per_token']:.2f} events with text a token: TTFT and ITL are those of text, tok/s and E2E hold"
    if row["client_cpu_share"] > 0.7:
        yield "the client needed most of a core: it may be what was measured"


def table(rows):
    """An aligned text table."""
    head = ["conc", "requests", "errors", "tok/s", "min .. max", "TTFT p50", "p90", "p99", "ITL p50", "p90", "p99", "E2E p50", "p99", "client CPU"]
    cells = [head]
    for r in rows:
        rate = r["tokens_per_second"]
        times = [r["ttft_ms"][p] for p in ("p50", "p90", "p99")] + [r["itl_ms"][p] for p in ("p50", "p90", "p99")] + [r["e2e_ms"]["p50"], r["e2e_ms"]["p99"]]
        cells.append([str(r["concurrency"]), str(r["requests"]), str(r["errors"]), f"{rate['median']:.1f}", f"{rate['min']:.1f} .. {rate['max']:.1f}",
                      *["-" if t is None else f"{t:.2f}" for t in times], f"{100 * r['client_cpu_share']:.0f} %"])
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in cells)
