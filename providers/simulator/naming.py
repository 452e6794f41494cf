from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from providers.simulator.behaviour import INTEGERS, NUMBERS, Behaviour, BehaviourError

NAME_PREFIX = "sim:"
SHORT_KEYS = {
    "ttft": "ttft_ms",
    "gap": "gap_ms",
    "tokens": "tokens",
    "chunk": "tokens_per_chunk",
    "headers": "headers_ms",
    "reasoning": "reasoning_tokens",
    "style": "reasoning_style",
    "thoughts": "reasoning_usage",
    "cached": "cached_tokens",
    "usage": "usage",
    "kind": "kind",
    "answer": "answer",
    "stall-after": "stall_after_tokens",
    "stall": "stall_ms",
    "jitter": "jitter_ms",
    "ttft-jitter": "ttft_jitter_ms",
    "seed": "seed",
    "drift": "drift_ms",
    "period": "drift_period_s",
    "fail": "failure",
    "rate": "failure_rate",
    "first": "fail_first",
    "after": "fail_after_tokens",
    "retry-after": "retry_after_s",
}


def behaviour_from(mapping: Mapping[str, Any], base: Behaviour | None = None) -> Behaviour:
    """`base` (default: a plain Behaviour) with the named fields changed."""
    known = {field.name for field in dataclasses.fields(Behaviour)}
    for name in mapping:
        if name not in known:
            raise BehaviourError(f"Unknown behaviour field {name[:60]!r}.")
    return dataclasses.replace(base or Behaviour(), **mapping)


def behaviour_named(name: str) -> Behaviour:
    """Read a self-describing model name: `sim:ttft=200,gap=20,tokens=50,fail=status-503`."""
    fields: dict[str, Any] = {}
    parts = [part for part in name.removeprefix(NAME_PREFIX).split(",") if part]
    for part in parts:
        key, equals, value = part.partition("=")
        field = SHORT_KEYS.get(key.strip())
        if field is None or not equals:
            raise BehaviourError(
                f"The model name asks for {part[:60]!r}; known keys: {', '.join(SHORT_KEYS)}.",
            )
        if field in fields:
            raise BehaviourError(f"The model name gives {key.strip()!r} twice.")
        fields[field] = _read_value(field, value.strip())
    return Behaviour(**fields)


def _read_value(field: str, text: str) -> int | float | str:
    if field not in INTEGERS and field not in NUMBERS:
        return text
    try:
        return int(text) if field in INTEGERS else float(text)
    except ValueError as exc:
        raise BehaviourError(f"{field} must be a number, not {text[:40]!r}.") from exc
