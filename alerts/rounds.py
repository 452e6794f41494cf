"""The facts of one round by what rules ask for."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from alerts import messages
from alerts.degradation import Judgement, Performance, judge
from alerts.facts import LLMFact, RoundFacts, RuleType, Standing
from alerts.names import canonical_name
from alerts.own_fault import lost_network
from alerts.states import Condition, ResolveReason
from alerts.thresholds import DegradationConfig
from monitoring.status import CheckStatus

SELF_SCOPE = "self"

GONE: dict[Standing, ResolveReason] = {
    Standing.MONITORING_OFF: ResolveReason.MONITORING_OFF,
    Standing.PROVIDER_DISABLED: ResolveReason.PROVIDER_DISABLED,
}


class RoundView:
    """One round; the condition of an LLM is made once and serves all rules."""

    def __init__(self, facts: RoundFacts) -> None:
        self.facts = facts
        self.by_id = {llm.llm_id: llm for llm in facts.llms}
        self.monitored = [llm for llm in facts.llms if llm.standing is Standing.MONITORED]
        self.outages = {c.scope: c for c in (self._outage(llm) for llm in self.monitored)}
        self.self_condition = self._self_condition()
        self._judgements: dict[tuple[int, int], Judgement] = {}
        self._by_name: dict[str, list[LLMFact]] = defaultdict(list)
        for llm in self.monitored:
            for name in names_of(llm):
                self._by_name[name].append(llm)

    def status(self, llm: LLMFact) -> CheckStatus | None:
        """Without a network of our own, a failure says nothing about anybody else."""
        if self.facts.self_offline and llm.status is CheckStatus.DOWN:
            return None
        return llm.status

    def called(self, name: str) -> list[LLMFact]:
        """Monitored, by the whole name: the provider's or the user's own, never a part of it."""
        return self._by_name.get(canonical_name(name), [])

    def judgement(self, performance: Performance, config: DegradationConfig) -> Judgement:
        """Rules that share both values (not only equal ones) are judged once."""
        key = (id(performance), id(config))
        if key not in self._judgements:
            self._judgements[key] = judge(performance, config)
        return self._judgements[key]

    @property
    def is_part(self) -> bool:
        """The round goes on: what only the whole of it can tell is not judged yet."""
        return self.facts.is_part

    def is_news(self, rule_type: RuleType, condition: Condition) -> bool:
        """Whether an earlier look at this round has not judged it: each occurrence counts once.

        Pace is judged once, with the whole round: before that it is unknown.
        """
        fresh = self.facts.fresh
        if fresh is None or rule_type is RuleType.PERFORMANCE_DEGRADATION:
            return True
        return not fresh.isdisjoint(condition.llm_ids)

    def is_down(self, llm: LLMFact) -> bool | None:
        status = self.status(llm)
        return None if status is None else status is CheckStatus.DOWN

    def was_down(self, llm: LLMFact) -> bool | None:
        """Also of an LLM that other rounds look at, while what they saw is still fresh."""
        is_down = self.is_down(llm)
        if is_down is None and llm.status is None and llm.last_known is not None:
            return llm.last_known is CheckStatus.DOWN
        return is_down

    def outage(self, llm_id: UUID | None) -> Condition | None:
        return self.outages.get(llm_scope(llm_id)) if llm_id else None

    def reason_gone(self, llm_id: UUID | None) -> ResolveReason:
        """Why the LLM of an alert is judged no more."""
        llm = self.by_id.get(llm_id) if llm_id else None
        if llm is None:
            return ResolveReason.LLM_DELETED
        return GONE.get(llm.standing, ResolveReason.RULE_CHANGED)

    def _outage(self, llm: LLMFact) -> Condition:
        holds = self.is_down(llm)
        why = messages.cause(llm.error_class, llm.error)
        is_degraded = llm.status is CheckStatus.DEGRADED
        return Condition(
            scope=llm_scope(llm.llm_id),
            holds=holds,
            subject=llm.label,
            opening=messages.down(llm.label, llm.since or self.facts.at, why) if holds else "",
            recovery=f"{llm.label} answers again, degraded"
            if is_degraded
            else f"{llm.label} is up again",
            llm_ids=(llm.llm_id,),
            error_class=llm.error_class if holds else None,
        )

    def _self_condition(self) -> Condition:
        seen = [llm for llm in self.monitored if llm.status is not None]
        providers = {llm.provider_id for llm in self.monitored}
        reached = {llm.provider_id for llm in seen if llm.status is not CheckStatus.DOWN}
        unreached = {llm.provider_id for llm in seen} - reached
        # A round over few providers cannot tell: only an answer, even a bad one, shows a network.
        is_answered = not all(lost_network(fact.status, fact.error_class) for fact in seen)
        return Condition(
            scope=SELF_SCOPE,
            holds=True if self.facts.self_offline else False if is_answered else None,
            subject="The monitor's own network",
            opening=messages.offline(self.facts.at, len(unreached), len(providers)),
            recovery="The monitor has its network back",
        )


def names_of(llm: LLMFact) -> set[str]:
    return {canonical_name(name) for name in (llm.name, llm.custom_name) if name}


def llm_scope(llm_id: UUID) -> str:
    return f"llm:{llm_id}"
