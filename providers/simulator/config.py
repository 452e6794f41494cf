from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from providers.simulator.behaviour import Behaviour
from providers.simulator.catalogue import DEFAULT_MODELS


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """`prefixes` are the paths before /chat/completions, /messages and /models.

    `list_failure` is a `status-NNN`, `html` or `hang` for the model lists;
    `is_bare_list` answers /models with an array, as some servers do.
    """

    models: Mapping[str, Behaviour] = field(default_factory=lambda: dict(DEFAULT_MODELS))
    api_keys: frozenset[str] = field(default=frozenset(), repr=False)
    prefixes: tuple[str, ...] = ("/v1", "")
    log_path: Path | None = None
    log_size: int = 2_000
    is_bare_list: bool = False
    list_failure: str | None = None
    max_body_bytes: int = 8_000_000
