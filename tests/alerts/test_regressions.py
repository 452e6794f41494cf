from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from alerts.evaluation import evaluate_waiting
from alerts.models import Alert, AlertRule, Channel, Delivery
from alerts.regressions import withdraw_orphans
from benchmarks.models import BenchmarkRun
from benchmarks.regressions import judge_run
from models_app.models import LLM
from monitoring.models import Round
from tests.alerts.storing import make_channel
from tests.benchmarks.test_schedules import make_history, make_schedule
from tests.make import make_check, make_llm, make_round, make_rule

pytestmark = pytest.mark.django_db
KIND = AlertRule.Type.BENCHMARK_REGRESSION


def judged(*levels: float, **schedule: Any) -> list[BenchmarkRun]:
    """Runs of a new schedule at these levels, each judged in its turn."""
    runs = make_history(make_schedule(make_llm(upstream_id="m-1"), **schedule), *levels)
    for run in runs:
        judge_run(run.pk)
    return runs


def only_llm() -> LLM:
    return LLM.objects.get()


def test_a_regression_opens_one_alert_that_says_how_much_slower() -> None:
    rule = make_rule(rule_type=KIND, name="Benchmarks")
    runs = judged(1.0, 1.0, 1.0, 1.0, 1.6, 1.6)

    alert = Alert.objects.get()
    assert (alert.rule_id, alert.rule_type, alert.state) == (rule.pk, KIND, "open")
    assert alert.scope == f"bench:{runs[0].schedule_id}:{only_llm().pk}"
    assert (alert.llm_id, alert.occurrences) == (only_llm().pk, 2)
    assert alert.message.startswith("m-1 (Account) got slower in the benchmark Nightly: ")
    assert "against the 4 runs before (interval " in alert.message


def test_an_alert_resolves_when_a_run_is_as_fast_as_before() -> None:
    make_rule(rule_type=KIND)
    judged(1.0, 1.0, 1.0, 1.0, 1.6, 1.0)

    alert = Alert.objects.get()
    assert (alert.state, alert.resolve_reason) == ("resolved", "recovered")
    assert [event.kind for event in alert.events.all()] == ["opened", "resolved"]


def test_where_two_runs_must_be_slower_one_alone_neither_opens_nor_resolves() -> None:
    make_rule(rule_type=KIND)
    runs = judged(1.0, 1.0, 1.0, 1.6, alarm_after_runs=2)
    assert not Alert.objects.exists()

    more = make_history(runs[0].schedule or make_schedule(), 1.6)
    BenchmarkRun.objects.filter(pk=more[0].pk).update(created_at=timezone.now())
    judge_run(more[0].pk)

    assert Alert.objects.get().state == "open"


def test_an_unchanged_schedule_raises_no_alert() -> None:
    make_rule(rule_type=KIND)
    judged(1.0, 1.01, 0.99, 1.0, 1.0, 1.01)

    assert not Alert.objects.exists()


def test_a_run_that_cannot_tell_keeps_the_alert_as_it_is() -> None:
    make_rule(rule_type=KIND)
    runs = judged(1.0, 1.0, 1.0, 1.0, 1.6)
    (blind,) = make_history(runs[0].schedule or make_schedule(), 1.0)
    blind.results.update(quality_flags=["client_lag"], uncertainty_ms=None)
    BenchmarkRun.objects.filter(pk=blind.pk).update(created_at=timezone.now())

    judge_run(blind.pk)

    assert Alert.objects.get().state == "open"


def test_a_rule_for_another_model_or_switched_off_stays_silent() -> None:
    make_rule(rule_type=KIND, enabled=False)
    make_rule(rule_type=KIND, target_llm=make_llm(upstream_id="other"))
    runs = make_history(make_schedule(make_llm(upstream_id="m-1")), 1.0, 1.0, 1.0, 1.6)
    for run in runs:
        judge_run(run.pk)

    assert not Alert.objects.exists()


def test_the_channels_of_the_rule_are_told() -> None:
    make_rule(rule_type=KIND, notify_webhook=True)
    channel = make_channel(kind=Channel.Kind.WEBHOOK, all_rules=False)
    judged(1.0, 1.0, 1.0, 1.6)

    delivery = Delivery.objects.get()
    assert delivery.channel_id == channel.pk
    assert delivery.message.topic == "slow"
    assert "got slower in the benchmark" in delivery.message.text


def test_a_monitoring_round_leaves_these_alerts_alone() -> None:
    make_rule(rule_type=KIND)
    judged(1.0, 1.0, 1.0, 1.6)
    round = make_round(status=Round.Status.COMPLETED, finished_at=timezone.now())
    make_check(only_llm(), round)

    evaluate_waiting()

    assert (Alert.objects.get().state, Alert.objects.get().occurrences) == ("open", 1)


@pytest.mark.parametrize(
    ("verb", "reason"),
    [
        ("delete", "schedule_ended"),
        ("disable", "schedule_ended"),
        ("leave out", "schedule_ended"),
        ("rebase", "baseline_changed"),
        ("nothing", ""),
    ],
)
def test_an_alert_is_withdrawn_when_no_run_decides_on_it_any_more(verb: str, reason: str) -> None:
    make_rule(rule_type=KIND)
    schedule = judged(1.0, 1.0, 1.0, 1.6)[0].schedule
    assert schedule is not None
    verbs: dict[str, Any] = {
        "delete": schedule.delete,
        "disable": lambda: schedule.change(None, enabled=False),
        "leave out": lambda: schedule.change([make_llm()]),
        "rebase": schedule.rebase,
        "nothing": lambda: None,
    }
    verbs[verb]()

    assert withdraw_orphans() == bool(reason)
    assert Alert.objects.get().resolve_reason == reason


def test_a_rule_about_benchmarks_is_made_over_rest_but_not_replayed(api: APIClient) -> None:
    body = {"name": "Benchmarks", "rule_type": KIND}

    made = api.post("/api/v1/alerts/rules", body, format="json")
    replayed = api.post("/api/v1/alerts/rules/replay", body, format="json")

    assert (made.status_code, made.json()["rule_type"]) == (201, "benchmark_regression")
    assert replayed.json()["errors"] == {"rule_type": ["Only rules about checks can be replayed."]}
