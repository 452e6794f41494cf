"""LiteLLM's side of the engine bench, run by a Python that has it; needs nothing of ours.

litellm_client.py BASE_URL STREAMS SECONDS CORE prints one JSON object.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

MODEL = "openai/sim:ttft=200,gap=20,tokens=50"
STREAM_S = 1.18


def waited_ns() -> int:
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return 0


async def ask(base_url: str) -> list[Any]:
    """Request id, sent, first and last content (ns), tokens."""
    litellm: Any = importlib.import_module("litellm")
    first_ns = last_ns = 0
    name, tokens = "", None
    sent_ns = time.perf_counter_ns()
    stream = await litellm.acompletion(
        model=MODEL,
        messages=[{"role": "user", "content": "Count to fifty."}],
        max_tokens=64,
        stream=True,
        stream_options={"include_usage": True},
        base_url=f"{base_url}/v1",
        api_key="bench",
        num_retries=0,
        timeout=600,
    )
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            last_ns = time.perf_counter_ns()
            first_ns = first_ns or last_ns
        if getattr(chunk, "usage", None):
            tokens = chunk.usage.completion_tokens
        name = name or chunk.id
    return [name.removeprefix("chatcmpl-"), sent_ns, first_ns, last_ns, tokens]


async def load(base_url: str, streams: int, seconds: float) -> dict[str, Any]:
    await asyncio.gather(*[ask(base_url) for _ in range(streams)])
    sightings: list[list[Any]] = []
    start, cpu, waited = time.perf_counter(), time.process_time(), waited_ns()

    async def work(phase: float) -> None:
        await asyncio.sleep(phase * STREAM_S)
        while time.perf_counter() < start + seconds:
            sightings.append(await ask(base_url))

    await asyncio.gather(*[work(k / streams) for k in range(streams)])
    return {
        "sightings": sightings,
        "cpu_s": time.process_time() - cpu,
        "waited_s": (waited_ns() - waited) / 1e9,
        "wall_s": time.perf_counter() - start,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    base_url, streams, seconds, core = sys.argv[1:]
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    if core:
        os.sched_setaffinity(0, {int(core)})
    print(json.dumps(asyncio.run(load(base_url, int(streams), float(seconds)))))


if __name__ == "__main__":
    main()
