from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from alerts.degradation import Performance, Sample
from alerts.facts import LLMFact, RoundFacts, Rule, RuleType
from alerts.rules import Evaluation, evaluate
from alerts.states import AlertState, Event, EventKind
from monitoring.status import CheckStatus
from providers.errors import ErrorClass

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UP, DEGRADED, DOWN = CheckStatus.UP, CheckStatus.DEGRADED, CheckStatus.DOWN


def make_id(number: int) -> UUID:
    return UUID(int=number)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def make_llm(
    number: int = 1,
    status: CheckStatus | None = UP,
    *,
    name: str = "",
    provider: int = 1,
    error_class: ErrorClass | None = None,
    **others: object,
) -> LLMFact:
    if status is DOWN and error_class is None:
        error_class = ErrorClass.CONNECT
    fact = LLMFact(
        llm_id=make_id(number),
        name=name or f"model-{number}",
        provider_id=make_id(1_000 + provider),
        provider_name=f"Provider {provider}",
        status=status,
        error_class=error_class,
    )
    return replace(fact, **others)  # type: ignore[arg-type]


def make_rule(
    rule_type: RuleType = RuleType.ANY_MODEL_DOWN, number: int = 500, **others: object
) -> Rule:
    return replace(Rule(make_id(number), rule_type), **others)  # type: ignore[arg-type]


def make_samples(
    figures: Iterable[float | None],
    *,
    start: datetime = NOON,
    every: timedelta = timedelta(minutes=15),
    pack: str = "health_check",
) -> list[Sample]:
    """TTFTs in ms, one check after the other."""
    return [
        Sample(at=start + i * every, ttft_ms=figure, pack=pack) for i, figure in enumerate(figures)
    ]


class Timeline:
    """Feeds rounds to the rules and keeps the states between them, as the rows would."""

    def __init__(self, *rules: Rule) -> None:
        self.rules: Sequence[Rule] = rules or (make_rule(),)
        self.states: dict[tuple[UUID, str, datetime], AlertState] = {}

    def round(
        self,
        at: float,
        *llms: LLMFact,
        self_offline: bool = False,
        performance: dict[tuple[UUID, UUID], Performance] | None = None,
    ) -> Evaluation:
        facts = RoundFacts(minutes(at), llms, self_offline, performance or {})
        evaluation = evaluate(self.rules, facts, self.states.values())
        for state in evaluation.states:
            self.states[state.rule_id, state.scope, state.opened_at] = state
        return evaluation

    def open_scopes(self) -> list[str]:
        return sorted(state.scope for state in self.states.values() if state.is_open)

    def only(self) -> AlertState:
        [state] = self.states.values()
        return state


def kinds(evaluation: Evaluation) -> list[EventKind]:
    return [event.kind for event in evaluation.events]


def loud(evaluation: Evaluation) -> list[Event]:
    return [event for event in evaluation.events if not event.quiet]
