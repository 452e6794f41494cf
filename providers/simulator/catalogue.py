"""The models a simulator serves when nobody says otherwise, and those of a JSON file."""

from __future__ import annotations

import json
from pathlib import Path

from providers.simulator.behaviour import Behaviour, BehaviourError
from providers.simulator.naming import behaviour_from

DEFAULT_MODELS = {
    "sim-fast": Behaviour(ttft_ms=90, gap_ms=8, tokens=80, jitter_ms=3, ttft_jitter_ms=20),
    "sim-steady": Behaviour(ttft_ms=200, gap_ms=20, tokens=50),
    "sim-slow": Behaviour(ttft_ms=1400, gap_ms=70, tokens=60, jitter_ms=25, ttft_jitter_ms=300),
    "sim-batched": Behaviour(ttft_ms=250, gap_ms=160, tokens=120, tokens_per_chunk=20),
    "sim-reasoning": Behaviour(ttft_ms=300, gap_ms=12, tokens=60, reasoning_tokens=90, jitter_ms=4),
    "sim-hidden-reasoning": Behaviour(
        ttft_ms=250, gap_ms=12, tokens=60, reasoning_tokens=80, reasoning_style="hidden"
    ),
    "sim-flaky": Behaviour(
        ttft_ms=220, gap_ms=18, jitter_ms=8, seed=7, failure="status-500", failure_rate=0.25
    ),
    "sim-cut": Behaviour(seed=11, failure="truncated", failure_rate=0.3, fail_after_tokens=20),
    "sim-drifting": Behaviour(
        ttft_ms=220, gap_ms=18, jitter_ms=4, ttft_jitter_ms=30, drift_ms=1400, drift_period_s=1200
    ),
    "sim-limited": Behaviour(failure="status-429"),
    "sim-down": Behaviour(failure="status-503"),
}


def load_models(path: Path) -> dict[str, Behaviour]:
    """Read `{"name": {"ttft_ms": 200, ...}, ...}`. Raises OSError and BehaviourError."""
    try:
        models = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as exc:
        raise BehaviourError(f"The models file {path.name} is not JSON.") from exc
    if not isinstance(models, dict) or not all(isinstance(one, dict) for one in models.values()):
        raise BehaviourError(f"The models file {path.name} must map names to behaviours.")
    return {name: behaviour_from(fields) for name, fields in models.items()}
