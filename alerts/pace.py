"""What performance rules judge: the newest samples of each LLM, and what is usual for it.

The usual is read from a table: two weeks of samples of every LLM in every round would be too many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from alerts.degradation import Baseline, Interval, Performance, Sample, baselines_of, within
from alerts.facts import Rule, RuleType
from alerts.models import Alert, AlertEvent, AlertRule, PerformanceBaseline
from alerts.rules import performance_scope
from alerts.states import AlertState, EventKind
from alerts.thresholds import DegradationConfig, Metric, Mode, parse_threshold_config
from models_app.models import LLM
from monitoring.models import Round, UptimeCheck, UptimeCheckQuerySet

LEARN_AGAIN_AFTER = timedelta(hours=1)
# Of an LLM that is new, soon: until it has samples enough no rule can judge it.
LEARN_MORE_AFTER = timedelta(minutes=5)
LLMS_AT_ONCE = 25
# Two weeks at 5-minute checks. Of more only the newest count: the median gains nothing by them.
MOST_SAMPLES = 4032
COLUMNS = ("created_at", "ttft_ms", "total_latency_ms", "tps", "prompt_pack")


def performance(
    judged: Sequence[Rule], llm_ids: Collection[UUID], known: Sequence[AlertState], round: Round
) -> dict[tuple[UUID, UUID], Performance]:
    """What the samples of the LLMs that answered say, for each performance rule."""
    mine = [r for r in judged if r.enabled and r.rule_type is RuleType.PERFORMANCE_DEGRADATION]
    wanted = _wanted(mine, llm_ids)
    if not wanted:
        return {}
    recent = newest_samples(round, wanted, max(r.degradation.window_samples for r in mine))
    usual = _usual(wanted, round.prompt_pack)
    changed = _prompts_changed(known, round.prompt_pack)
    # Rules with the same thresholds share the value, so that it is judged once for all of them.
    made: dict[tuple[UUID, int, bool], Performance] = {}
    found: dict[tuple[UUID, UUID], Performance] = {}
    for rule in mine:
        config = rule.degradation
        for llm_id in _wanted([rule], wanted):
            is_changed = (rule.rule_id, performance_scope(llm_id)) in changed
            key = (llm_id, id(config), is_changed)
            if key not in made:
                window = tuple(recent[llm_id][-config.window_samples :])
                baselines = usual.get((llm_id, config.baseline_days), {})
                made[key] = Performance(window, baselines, is_changed)
            found[rule.rule_id, llm_id] = made[key]
    return found


def _wanted(mine: Sequence[Rule], llm_ids: Collection[UUID]) -> set[UUID]:
    if any(rule.target_llm_id is None for rule in mine):
        return set(llm_ids)
    return {rule.target_llm_id for rule in mine if rule.target_llm_id} & set(llm_ids)


def newest_samples(
    round: Round, llm_ids: Collection[UUID], window: int
) -> dict[UUID, list[Sample]]:
    """Of the last rounds with the same prompts, oldest first. An LLM that failed in a third of
    them still fills its window."""
    newest = Round.objects.filter(pk__lte=round.pk, prompt_pack=round.prompt_pack).order_by("-pk")
    ids: set[UUID] = set()
    for minutes in _intervals(round):
        # Rounds by hand ask everybody, the others only the LLMs of their interval.
        alike = newest.filter(Q(interval_minutes=minutes) | Q(trigger=Round.Trigger.MANUAL))
        ids.update(alike.values_list("pk", flat=True)[: window + window // 2])
    rows = _answered().filter(round__in=ids)
    found: dict[UUID, list[Sample]] = defaultdict(list)
    for llm_id, *figures in rows.order_by("created_at").values_list("llm", *COLUMNS).iterator():
        if llm_id in llm_ids:
            found[llm_id].append(Sample(*figures))
    return found


def _intervals(round: Round) -> list[int | None]:
    """Those at which the LLMs of the round are asked; None is the global one."""
    if round.trigger == Round.Trigger.SCHEDULE:
        return [round.interval_minutes]
    watched = LLM.objects.monitored().order_by()
    return list(watched.values_list("monitoring_interval_minutes", flat=True).distinct())


Usual = dict[tuple[UUID, int], dict[Metric, Baseline]]


def _usual(llm_ids: Collection[UUID], pack: str) -> Usual:
    rows = PerformanceBaseline.objects.filter(prompt_pack=pack, median__isnull=False)
    found: Usual = defaultdict(dict)
    for row in rows.iterator():
        if row.llm_id in llm_ids and row.median is not None and row.spread is not None:
            known = Baseline(row.median, row.spread, row.n)
            found[row.llm_id, row.days][Metric(row.metric)] = known
    return found


def _prompts_changed(known: Sequence[AlertState], pack: str) -> set[tuple[UUID, str]]:
    """Open alerts that began when other prompts were asked: nothing is left to compare with."""
    opened = {s.alert_id: s for s in known if s.is_open and s.scope.startswith("perf:")}
    if not opened:
        return set()
    openings = AlertEvent.objects.filter(
        alert__in=opened, kind__in=[EventKind.OPENED, EventKind.REOPENED]
    )
    others = openings.filter(round__isnull=False).exclude(round__prompt_pack=pack)
    found = (opened[alert_id] for alert_id in others.order_by().values_list("alert", flat=True))
    return {(state.rule_id, state.scope) for state in found}


def learn(now: datetime | None = None) -> int:
    """Computes the baselines that are missing or an hour old; how many LLMs it were."""
    now = now or timezone.now()
    configs = [config for config in _configs() if config.mode is Mode.BASELINE]
    days = sorted({config.baseline_days for config in configs})
    if not days:
        return 0
    window = max(config.window_samples for config in configs)
    last = Round.objects.filter(status=Round.Status.COMPLETED).order_by("-pk").first()
    if last is None:
        return 0
    fewest = min(config.min_samples for config in configs)
    stale = _stale(last.prompt_pack, days, fewest, now)
    for llm_id in stale:
        _learn(llm_id, last.prompt_pack, days, window, now)
    return len(stale)


def _configs() -> Iterable[DegradationConfig]:
    rules = AlertRule.objects.filter(enabled=True, rule_type=AlertRule.Type.PERFORMANCE_DEGRADATION)
    for raw in rules.values_list("threshold_config", flat=True):
        parsed = parse_threshold_config(raw)
        if isinstance(parsed, DegradationConfig):
            yield parsed


def _stale(pack: str, days: Sequence[int], fewest: int, now: datetime) -> list[UUID]:
    """Not those with an open performance alert: their usual stays what it was before it."""
    known = PerformanceBaseline.objects.filter(
        prompt_pack=pack, days=days[-1], metric=Metric.TTFT.value
    )
    too_few = Q(n__lt=fewest, computed_at__lte=now - LEARN_MORE_AFTER)
    fresh = known.filter(computed_at__gt=now - LEARN_AGAIN_AFTER).exclude(too_few)
    slow = Alert.objects.open().filter(rule_type=AlertRule.Type.PERFORMANCE_DEGRADATION)
    wanted = (
        LLM.objects.monitored()
        .exclude(pk__in=fresh.values("llm"))
        .exclude(pk__in=slow.filter(llm__isnull=False).values("llm"))
    )
    return list(wanted.order_by("created_at", "pk").values_list("pk", flat=True)[:LLMS_AT_ONCE])


def _learn(llm_id: UUID, pack: str, days: Sequence[int], window: int, now: datetime) -> None:
    samples = [s for s in samples_of(llm_id, now - timedelta(days=days[-1])) if s.pack == pack]
    slow = slow_intervals(llm_id)
    settled = [s for s in samples[:-window] if not within(s.at, slow)]
    rows = []
    for span in days:
        start = now - timedelta(days=span)
        baselines = baselines_of((s for s in settled if s.at >= start), Metric)
        rows += [
            PerformanceBaseline(
                llm_id=llm_id,
                prompt_pack=pack,
                metric=metric.value,
                days=span,
                median=known.median if known else None,
                spread=known.spread if known else None,
                n=known.n if known else 0,
                computed_at=now,
            )
            for metric in Metric
            for known in [baselines.get(metric)]
        ]
    PerformanceBaseline.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["llm", "prompt_pack", "metric", "days"],
        update_fields=["median", "spread", "n", "computed_at"],
    )


def _answered() -> UptimeCheckQuerySet:
    down = UptimeCheck.Status.DOWN
    return UptimeCheck.objects.filter(ttft_ms__isnull=False).exclude(status=down)


def samples_of(llm_id: UUID, start: datetime, most: int = MOST_SAMPLES) -> list[Sample]:
    """The newest successful checks since `start`, oldest first."""
    rows = _answered().filter(llm=llm_id, created_at__gte=start)
    newest = rows.order_by("-created_at").values_list(*COLUMNS)[:most]
    return [Sample(*row) for row in newest][::-1]


def slow_intervals(llm_id: UUID) -> list[Interval]:
    rows = Alert.objects.filter(scope=performance_scope(llm_id))
    return list(rows.values_list("created_at", "resolved_at"))


def outages_of(llm_id: UUID, start: datetime) -> list[datetime]:
    down = Q(llm=llm_id, created_at__gte=start, status=UptimeCheck.Status.DOWN)
    rows = UptimeCheck.objects.filter(down).order_by("created_at")
    return list(rows.values_list("created_at", flat=True))
