"""Runs outside the project's path: `import arguslm` is the published package here."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from typing import Any

import arguslm
from arguslm import schemas


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value.text if hasattr(value, "text") else value


async def gathered(stream: Any) -> list[Any]:
    return [message async for message in stream]


async def asked_async(url: str, asked: dict[str, Any]) -> Any:
    async with arguslm.AsyncArgusLMClient(base_url=url) as client:  # type: ignore[attr-defined]
        result = called(client, asked)
        return await (gathered(result) if inspect.isasyncgen(result) else result)


def asked_sync(url: str, asked: dict[str, Any]) -> Any:
    with arguslm.ArgusLMClient(base_url=url) as client:  # type: ignore[attr-defined]
        return called(client, asked)


def called(client: Any, asked: dict[str, Any]) -> Any:
    args, kwargs = list(asked["args"]), {}
    for name, value in asked["kwargs"].items():
        if hasattr(schemas, name):
            args.append(getattr(schemas, name)(**value))
        else:
            kwargs[name] = value
    return getattr(client, asked["method"])(*args, **kwargs)


def answered(url: str, flavour: str, line: str) -> dict[str, Any]:
    asked = json.loads(line)
    try:
        if flavour == "async":
            return {"value": plain(asyncio.run(asked_async(url, asked)))}
        return {"value": plain(asked_sync(url, asked))}
    except Exception as exc:  # noqa: BLE001 - whatever the client raises is the test's to judge
        return {"kind": type(exc).__name__, "error": str(exc)}


if __name__ == "__main__":
    assert hasattr(arguslm, "ArgusLMClient"), "this must be the published package"
    for line in sys.stdin:
        print(json.dumps(answered(sys.argv[1], sys.argv[2], line)), flush=True)
