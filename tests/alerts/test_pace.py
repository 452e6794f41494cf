"""Performance rules on rows: baselines from the table, the window from the last rounds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from alerts import pace
from alerts.models import Alert, AlertRule, PerformanceBaseline
from alerts.thresholds import WHOLE_NUMBERS
from models_app.models import LLM
from monitoring.models import Round, UptimeCheck
from tests.alerts.storing import judge, make_watched, minutes_ago, open_slot, play
from tests.make import make_rule

pytestmark = pytest.mark.django_db
USUAL_MS, SLOW_MS = 400.0, 2000.0
STATIC = {"mode": "static", "metrics": ["ttft_ms"], "static_threshold": 900}
EVERYWHERE = {"rule_type": "model_unavailable_everywhere", "target_model_name": "GPT-4"}


def make_pace_rule(**fields: Any) -> AlertRule:
    return make_rule(rule_type=AlertRule.Type.PERFORMANCE_DEGRADATION, **fields)


def make_past(
    llm: LLM, count: int = 60, ttft_ms: float = USUAL_MS, pack: str = "health_check"
) -> None:
    """Rounds every 15 minutes until two hours and a half ago."""
    now = timezone.now()
    for number in range(count, 0, -1):
        at = now - timedelta(minutes=150 + 15 * number)
        round = Round.objects.create(
            trigger="manual",
            status="completed",
            prompt_pack=pack,
            max_tokens=100,
            due_at=at,
            finished_at=at,
        )
        UptimeCheck.objects.create(
            round=round,
            llm=llm,
            status="up",
            prompt_pack=pack,
            created_at=at,
            ttft_ms=ttft_ms + number % 7,
            total_latency_ms=1500.0 + number % 11,
            tps=50.0,
        )


def play_pace(llm: LLM, *figures_ms: float, until: float = 0.0) -> None:
    for number, ttft_ms in enumerate(figures_ms):
        minute = until + 15 * (len(figures_ms) - number)
        play([llm], "up", minutes_ago(minute), ttft_ms=ttft_ms, total_latency_ms=1500.0, tps=50.0)


@pytest.fixture
def llm() -> LLM:
    found = make_watched(name="gpt-4")
    make_past(found)
    return found


def test_a_model_that_becomes_slow_opens_one_alert_that_names_the_figures(llm: LLM) -> None:
    make_pace_rule()
    assert pace.learn() == 1
    play_pace(llm, *[SLOW_MS] * 6)

    alert = Alert.objects.get()
    assert alert.scope == f"perf:{llm.pk}"
    assert "TTFT median of the last 5 checks 2,000 ms, usual 40" in alert.message


def test_without_a_baseline_the_rule_is_still_learning(llm: LLM) -> None:
    make_pace_rule()
    play_pace(llm, *[SLOW_MS] * 6)

    assert not Alert.objects.exists()


def test_a_static_limit_needs_no_baseline(llm: LLM) -> None:
    make_pace_rule(threshold_config=STATIC)
    assert pace.learn() == 0
    play_pace(llm, *[SLOW_MS] * 6)

    assert (
        "TTFT median of the last 5 checks 2,000 ms (limit 1,800 ms)" in Alert.objects.get().message
    )


def test_the_usual_pace_ends_the_alert(llm: LLM) -> None:
    make_pace_rule()
    pace.learn()
    play_pace(llm, *[SLOW_MS] * 6, until=60)
    play_pace(llm, *[USUAL_MS] * 4)

    assert Alert.objects.get().resolve_reason == "recovered"


def test_an_outage_ends_the_alert_without_news(llm: LLM) -> None:
    make_pace_rule()
    pace.learn()
    play_pace(llm, *[SLOW_MS] * 6, until=15)
    play([llm], "down")

    assert Alert.objects.get().resolve_reason == "went_down"


def test_other_prompts_end_the_alert_without_news(llm: LLM) -> None:
    make_pace_rule()
    pace.learn()
    play_pace(llm, *[SLOW_MS] * 6, until=15)
    make_past(llm, 1, pack="reasoning")
    last = Round.objects.order_by("-pk").first()
    assert last is not None
    judge(last)

    assert Alert.objects.get().resolve_reason == "prompts_changed"


def test_baselines_are_learned_again_after_an_hour_and_not_before(llm: LLM) -> None:
    make_pace_rule()
    now = timezone.now()
    assert (pace.learn(now), pace.learn(now + timedelta(minutes=59))) == (1, 0)
    assert pace.learn(now + timedelta(minutes=61)) == 1
    assert PerformanceBaseline.objects.count() == 3


def test_a_new_model_is_learned_again_soon() -> None:
    make_pace_rule()
    new = make_watched()
    make_past(new, 20)
    now = timezone.now()
    assert (pace.learn(now), pace.learn(now + timedelta(minutes=4))) == (1, 0)
    play_pace(new, *[USUAL_MS] * 9)
    assert pace.learn(now + timedelta(minutes=6)) == 1

    assert PerformanceBaseline.objects.get(metric="ttft_ms").n == 20
    assert pace.learn(now + timedelta(minutes=15)) == 0


def test_an_open_alert_keeps_the_baseline_it_was_opened_with(llm: LLM) -> None:
    make_pace_rule()
    pace.learn()
    play_pace(llm, *[SLOW_MS] * 6)

    assert pace.learn(timezone.now() + timedelta(hours=5)) == 0


def test_past_slow_times_are_not_the_usual(llm: LLM) -> None:
    rule = make_pace_rule()
    start = timezone.now() - timedelta(hours=10)
    UptimeCheck.objects.filter(created_at__gte=start).update(ttft_ms=SLOW_MS)
    Alert.objects.create(
        rule=rule,
        rule_key=rule.pk,
        scope=f"perf:{llm.pk}",
        message="x",
        last_seen_at=start,
        created_at=start,
        resolved_at=timezone.now(),
    )
    pace.learn()

    found = PerformanceBaseline.objects.get(metric="ttft_ms")
    assert found.median is not None
    assert found.median < USUAL_MS + 10


@pytest.mark.parametrize("models", [1, 8])
def test_judging_the_pace_costs_the_same_queries_for_any_number_of_models(
    models: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_pace_rule()
    llms = [make_watched() for _ in range(models)]
    for each in llms:
        make_past(each, 30)
    pace.learn()
    with django_assert_max_num_queries(30):
        play(llms, "up", ttft_ms=USUAL_MS)


REPLAY = "/api/v1/alerts/rules/replay"


def test_a_replay_says_how_often_and_when_a_rule_would_have_fired(api: APIClient, llm: LLM) -> None:
    play_pace(llm, *[SLOW_MS] * 6)
    body = api.post(REPLAY, {"rule_type": "performance_degradation"}, format="json").json()

    assert (body["days"], body["episodes_total"], body["models_replayed"]) == (30, 1, 1)
    [item] = body["items"]
    assert (item["model_name"], item["checks"]) == ("gpt-4", 66)
    [episode] = item["episodes"]
    assert episode["ended_at"] is None
    assert "usual 40" in episode["reason"]


def test_a_replay_takes_the_thresholds_of_the_rule(api: APIClient, llm: LLM) -> None:
    play_pace(llm, *[SLOW_MS] * 6)
    body = {
        "rule_type": "performance_degradation",
        "target_model_id": str(llm.pk),
        "threshold_config": {
            "mode": "static",
            "metrics": ["ttft_ms"],
            "static_threshold": 5000,
        },
    }
    assert api.post(REPLAY, body, format="json").json()["episodes_total"] == 0


@pytest.mark.parametrize("rule", [{"rule_type": "any_model_down"}, EVERYWHERE])
def test_outages_are_replayed_too(api: APIClient, llm: LLM, rule: dict[str, Any]) -> None:
    for minute, status in ((120, "down"), (105, "up"), (60, "down"), (45, "down")):
        play([llm], status, minutes_ago(minute))
    body = api.post(REPLAY, rule, format="json").json()

    assert body["episodes_total"] == 2
    assert [each["ended_at"] is None for each in body["items"][0]["episodes"]] == [False, True]


def test_a_rule_that_could_not_be_saved_cannot_be_replayed(api: APIClient) -> None:
    answer = api.post(REPLAY, {"rule_type": "specific_model_down"}, format="json")
    assert list(answer.json()["errors"]) == ["target_model_id"]


def test_a_replay_stores_nothing(api: APIClient, llm: LLM) -> None:
    api.post(REPLAY, {"rule_type": "performance_degradation", "name": "Try"}, format="json")
    assert not AlertRule.objects.exists()
    assert not Alert.objects.exists()


def test_a_model_with_an_interval_of_its_own_fills_its_window() -> None:
    make_pace_rule(threshold_config=STATIC)
    rare, usual = make_watched(name="rare"), make_watched(name="usual")
    LLM.objects.filter(pk=rare.pk).update(monitoring_interval_minutes=60)
    rare.refresh_from_db()
    for hour in range(5, 0, -1):
        for minute in range(0, 60, 15):
            at = minutes_ago(60 * hour - minute)
            play([usual], "up", at, round=open_slot(usual, at), ttft_ms=USUAL_MS)
        at = minutes_ago(60 * hour - 50)
        play([rare], "up", at, round=open_slot(rare, at), ttft_ms=SLOW_MS)

    assert [alert.llm_id for alert in Alert.objects.all()] == [rare.pk]


def test_a_round_by_hand_judges_models_of_all_intervals() -> None:
    make_pace_rule(threshold_config=STATIC)
    rare, usual = make_watched(name="rare"), make_watched(name="usual")
    LLM.objects.filter(pk=rare.pk).update(monitoring_interval_minutes=60)
    rare.refresh_from_db()
    for hour in range(5, 1, -1):
        at = minutes_ago(60 * hour)
        play([rare], "up", at, round=open_slot(rare, at), ttft_ms=SLOW_MS)
        for minute in range(5, 60, 5):
            at = minutes_ago(60 * hour - minute)
            play([usual], "up", at, round=open_slot(usual, at), ttft_ms=USUAL_MS)
    play([rare], "up", ttft_ms=SLOW_MS)

    assert [alert.llm_id for alert in Alert.objects.all()] == [rare.pk]


def test_a_replay_takes_no_missing_network_of_ours_for_an_outage(api: APIClient, llm: LLM) -> None:
    round = play([llm], "down", minutes_ago(60))
    Round.objects.filter(pk=round.pk).update(self_offline=True)
    for rule in ({"rule_type": "any_model_down"}, EVERYWHERE):
        assert api.post(REPLAY, rule, format="json").json()["episodes_total"] == 0


def test_a_replay_knows_models_with_an_interval_of_their_own(api: APIClient, llm: LLM) -> None:
    rare = make_watched(name="openai/gpt-4")
    LLM.objects.filter(pk=rare.pk).update(monitoring_interval_minutes=60)
    for minute, each, status in ((70, rare, "down"), (60, llm, "down"), (45, llm, "up")):
        play([each], status, minutes_ago(minute))

    [item] = api.post(REPLAY, EVERYWHERE, format="json").json()["items"]
    [episode] = item["episodes"]
    assert episode["reason"] == "the provider reported an error of its own"
    assert episode["ended_at"] is not None


def test_no_rule_may_ask_for_more_samples_than_are_learned_from() -> None:
    (_, most), (_, widest) = WHOLE_NUMBERS["min_samples"], WHOLE_NUMBERS["window_samples"]
    assert most + widest <= pace.MOST_SAMPLES
