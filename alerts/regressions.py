"""Rules about benchmarks: a run of a schedule was slower than the runs before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from alerts import announcements, delivery, gathering, messages, outbox
from alerts.evaluation import write_states
from alerts.lifecycle import advance
from alerts.models import Alert, AlertRule, AlertSettings
from alerts.outbox import Occasion
from alerts.states import AlertState, Change, Condition, ResolveReason
from benchmarks.models import BenchmarkRun, BenchmarkSchedule
from models_app.models import LLM

KIND = AlertRule.Type.BENCHMARK_REGRESSION
NAMES = {"ttft_ms": "TTFT", "total_latency_ms": "latency", "tps": "throughput"}
# What a comparison could not tell keeps an alert as it is.
TELLING = ("slower", "faster", "no_detectable_difference")


def bench_scope(schedule_id: object, llm_id: object) -> str:
    return f"bench:{schedule_id}:{llm_id}"


def judge_benchmark(run: BenchmarkRun) -> None:
    """Opens, keeps or resolves alerts by a run's verdicts, in the transaction of the caller."""
    rules = list(AlertRule.objects.filter(rule_type=KIND, enabled=True))
    if not rules or run.schedule is None:
        return
    # The same door as for rounds: one judgement at a time.
    AlertSettings.objects.select_for_update().get(pk=AlertSettings.load().pk)
    conditions = conditions_of(run, run.schedule)
    known = _known(rules, conditions)
    changes = [
        change
        for rule in rules
        for condition in conditions
        if rule.target_llm_id in (None, condition.llm_ids[0])
        and (change := _advanced(rule, condition, known)).states
    ]
    states = [state for change in changes for state in change.states]
    rows = write_states(states, list(known.values()), None)
    occasion = Occasion(gathering.fleet({}))
    outbox.write([event for change in changes for event in change.events], rows, occasion)
    announcements.announce_after_commit()
    delivery.call_out_after_commit()


def conditions_of(run: BenchmarkRun, schedule: BenchmarkSchedule) -> list[Condition]:
    """One for each LLM of the run that still exists."""
    by_llm: dict[str, list[Mapping[str, Any]]] = {}
    for verdict in run.verdicts or []:
        by_llm.setdefault(verdict["model_id"], []).append(verdict)
    llms = LLM.objects.select_related("account").in_bulk([UUID(llm_id) for llm_id in by_llm])
    return [_condition(schedule, llm, by_llm[str(llm.pk)]) for llm in llms.values()]


def withdraw_orphans() -> int:
    """Closes alerts that no run decides on any more.

    Their schedule or its LLM is gone, or the present level has been made the usual one.
    """
    rows = Alert.objects.open().filter(rule_type=KIND)
    of_schedule: dict[str, list[Alert]] = {}
    for alert in rows:
        of_schedule.setdefault(alert.scope.split(":")[1], []).append(alert)
    schedules = BenchmarkSchedule.objects.filter(enabled=True).prefetch_related("targets")
    known = schedules.in_bulk(list(map(UUID, of_schedule)))
    return sum(
        _withdraw(alerts, known.get(UUID(schedule_id)))
        for schedule_id, alerts in of_schedule.items()
    )


def _withdraw(alerts: Iterable[Alert], schedule: BenchmarkSchedule | None) -> int:
    if schedule is None:
        return _close(alerts, ResolveReason.SCHEDULE_ENDED)
    watched, since = set(schedule.llm_ids), schedule.baseline_from
    left = [alert for alert in alerts if alert.llm_id not in watched]
    older = [alert for alert in alerts if since is not None and alert.last_seen_at < since]
    return _close(left, ResolveReason.SCHEDULE_ENDED) + _close(
        older, ResolveReason.BASELINE_CHANGED
    )


def _close(alerts: Iterable[Alert], reason: ResolveReason) -> int:
    return Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).close(reason)


def _condition(
    schedule: BenchmarkSchedule, llm: LLM, verdicts: list[Mapping[str, Any]]
) -> Condition:
    slower = [verdict for verdict in verdicts if verdict["confirmed"]]
    # Slower, but not yet in as many runs as the schedule asks for, tells nothing.
    is_open = any(verdict["state"] == "slower" for verdict in verdicts) and not slower
    is_told = any(verdict["state"] in TELLING for verdict in verdicts) and not is_open
    label = f"{llm.name} ({llm.account.display_name})"
    return Condition(
        scope=bench_scope(schedule.pk, llm.pk),
        holds=bool(slower) if is_told else None,
        subject=label,
        opening=messages.regressed(label, schedule.name, _figures(slower)) if slower else "",
        recovery=f"{label} is as fast as before in the benchmark {schedule.name}",
        llm_ids=(llm.pk,),
    )


def _figures(slower: Iterable[Mapping[str, Any]]) -> str:
    worst = max(slower, key=lambda verdict: max(verdict["ratio"], 1 / verdict["ratio"]))
    interval, p = worst["ratio_interval"], worst["p_adjusted"]
    return (
        f"{NAMES[worst['metric']]} {(worst['ratio'] - 1) * 100:+.0f} % against the "
        f"{worst['baseline_runs']} runs before (interval {(interval['low'] - 1) * 100:+.0f} % to "
        f"{(interval['high'] - 1) * 100:+.0f} %, p {max(p, 0.0001):.2g})"
    )


def _known(
    rules: Iterable[AlertRule], conditions: Iterable[Condition]
) -> dict[tuple[UUID, str], AlertState]:
    """The newest alert of each rule and scope."""
    scopes = [condition.scope for condition in conditions]
    wanted = Q(rule_key__in=[rule.pk for rule in rules], scope__in=scopes)
    rows = Alert.objects.filter(wanted).order_by("created_at", "id")
    return {(row.rule_key, row.scope): gathering.state_of(row) for row in rows}


def _advanced(
    rule: AlertRule, condition: Condition, known: Mapping[tuple[UUID, str], AlertState]
) -> Change:
    state = known.get((rule.pk, condition.scope))
    return advance(state, rule.pk, condition, timezone.now())
