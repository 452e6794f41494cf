"""What measured: versions and settings of this client, kept with each run."""

from __future__ import annotations

import asyncio
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from providers.loop import engine_loop

PACKAGES = ("django", "openai", "anthropic", "httpx2", "uvloop", "genai-prices")


def client_facts() -> dict[str, Any]:
    return {**_constant(), "calibrated_bias_ms": engine_loop().clients.bias_ms}


@cache
def _constant() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "event_loop": engine_loop().run(_loop_name()),
        "packages": {name: _version(name) for name in PACKAGES},
    }


async def _loop_name() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
