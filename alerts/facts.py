"""What the rules judge: the outcome of one round, and the rules themselves, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts.degradation import Performance
from alerts.thresholds import DegradationConfig
from monitoring.status import CheckStatus
from providers.errors import ErrorClass


class RuleType(StrEnum):
    ANY_MODEL_DOWN = "any_model_down"
    SPECIFIC_MODEL_DOWN = "specific_model_down"
    MODEL_UNAVAILABLE_EVERYWHERE = "model_unavailable_everywhere"
    PERFORMANCE_DEGRADATION = "performance_degradation"


class Standing(StrEnum):
    """Whether an LLM is watched at all; one that is missing from the facts was deleted."""

    MONITORED = "monitored"
    MONITORING_OFF = "monitoring_off"
    PROVIDER_DISABLED = "provider_disabled"


@dataclass(frozen=True, slots=True)
class LLMFact:
    """``status`` None is no data. ``since``: start of the outage where it is known.

    ``last_known``: of an LLM that this round does not look at, what the last one that did saw.
    """

    llm_id: UUID
    name: str
    provider_id: UUID
    provider_name: str
    status: CheckStatus | None = None
    custom_name: str | None = None
    error_class: ErrorClass | None = None
    error: str | None = None
    since: datetime | None = None
    last_known: CheckStatus | None = None
    standing: Standing = Standing.MONITORED

    @property
    def label(self) -> str:
        return f"{self.custom_name or self.name} ({self.provider_name})"


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """Every LLM there is, not only those this round has looked at.

    ``performance`` by (rule, LLM): what ``alerts.degradation.measure`` made of the samples.
    ``fresh``: of a round that is judged in several looks, the LLMs that no earlier look has
    judged; None means all of them. ``is_part``: the round still goes on.
    """

    at: datetime
    llms: tuple[LLMFact, ...]
    self_offline: bool = False
    performance: Mapping[tuple[UUID, UUID], Performance] = field(default_factory=dict)
    fresh: frozenset[UUID] | None = None
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """``target_llm_id`` narrows a performance rule to one LLM; None watches all of them."""

    rule_id: UUID
    rule_type: RuleType
    enabled: bool = True
    target_llm_id: UUID | None = None
    target_name: str | None = None
    degradation: DegradationConfig = field(default_factory=DegradationConfig)
