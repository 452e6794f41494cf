"""What measured, and at which prices: kept with each run, since all of it changes later."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.utils import timezone

from benchmarks.documents import written
from models_app.calibration import latest
from models_app.models import LLM
from models_app.prices import cost_of
from providers.loop import engine_loop

PACKAGES = ("django", "openai", "anthropic", "httpx2", "uvloop", "genai-prices")


PRICE_LIST = "genai-prices"
# Prices are said for a million tokens; few models have another price for so few.
TRIAL_TOKENS, TRIALS = 1_000, 1_000


def facts_of(llms: Iterable[LLM]) -> dict[str, Any]:
    return {
        **_constant(),
        "calibrated_bias_ms": engine_loop().clients.bias_ms,
        "calibration": _calibration(),
        "prices": {
            "list": f"{PRICE_LIST} {_version(PRICE_LIST)}",
            "taken_at": written(timezone.now()),
            "usd_per_1m": {str(llm.pk): _prices(llm) for llm in llms},
        },
    }


def _calibration() -> dict[str, Any] | None:
    found = latest()
    if found is None:
        return None
    return {
        "measured_at": written(found.created_at),
        "bias_ms": found.bias_ms,
        "spread_ms": found.spread_ms,
        "noisy": found.noisy,
    }


def _prices(llm: LLM) -> dict[str, float | None]:
    return {"input": _price(llm, TRIAL_TOKENS, 0), "output": _price(llm, 0, TRIAL_TOKENS)}


def _price(llm: LLM, tokens_in: int, tokens_out: int) -> float | None:
    figures = {"input_tokens": tokens_in, "output_tokens": tokens_out, "cached_tokens": 0}
    cost: Decimal | None = cost_of(llm, figures)
    return None if cost is None else float(cost * TRIALS)


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
