"""What the monitoring says of itself without any rule."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from alerts.models import Alert, Channel, Delivery, Silence
from alerts.notices import notice
from alerts.reminders import tell_again
from models_app.models import LLM
from monitoring import rounds
from monitoring.identities import Sighting, note
from monitoring.models import MonitoringConfig, ReportedModel
from providers.measurement import Outcome, wall_clock
from tests.alerts.storing import make_channel, make_fleet, make_watched
from tests.make import make_llm

pytestmark = pytest.mark.django_db
PRICES = {"input_price_per_1m": 10, "output_price_per_1m": 1000}
DAY = timedelta(days=1)


def texts(channel: Channel) -> list[str]:
    rows = Delivery.objects.filter(channel=channel).order_by("seq").select_related("message")
    return [row.message.text for row in rows]


def run_out_of_money() -> None:
    make_llm(enabled_for_monitoring=True, metadata=PRICES)
    MonitoringConfig.load()
    MonitoringConfig.objects.update(monthly_cap_usd="0.02", next_due_at=None)
    assert rounds.open_due(timezone.now()) == []


def answer(llm: LLM, *names: str) -> None:
    current = {row.llm_id: row for row in ReportedModel.objects.filter(is_current=True)}
    for name in names:
        note([Sighting(llm, Outcome(wall_clock(), model_reported=name), current)])


def test_a_pause_of_the_budget_is_told_once_and_its_end_to_the_same_channels() -> None:
    channel = make_channel()
    run_out_of_money()
    assert [notice(), notice()] == [1, 0]
    MonitoringConfig.load().change(timezone.now(), monthly_cap_usd=Decimal(5))
    assert len(rounds.open_due(timezone.now())) == 1
    assert [notice(), notice()] == [1, 0]
    assert texts(channel) == [
        "Probing is paused: 0.00 USD are spent this month, and another round would break the "
        "monthly cap of 0.02 USD.",
        "Probing goes on: the cap leaves room again.",
    ]
    assert Alert.objects.get().resolve_reason == "recovered"


def test_a_pause_of_the_budget_is_among_the_alerts_without_any_channel(api: APIClient) -> None:
    run_out_of_money()
    notice()
    (item,) = api.get("/api/v1/alerts").json()["items"]
    assert (item["rule_type"], item["rule_name"]) == ("budget_paused", "Monitoring")
    assert api.get("/api/v1/alerts/unread-count").json() == {"count": 1}


def test_a_channel_for_certain_rules_hears_no_notice() -> None:
    channel = make_channel(all_rules=False)
    run_out_of_money()
    notice()
    assert texts(channel) == []


def test_another_model_behind_the_same_name_is_told() -> None:
    channel, llm = make_channel(), make_watched(name="gpt")
    answer(llm, "gpt-1", "gpt-2")
    assert notice() == 1
    assert texts(channel) == ["gpt (Account) is answered by gpt-2 now, by gpt-1 before."]


def test_the_first_name_of_a_model_is_no_news() -> None:
    answer(make_watched(), "gpt-1")
    assert (notice(), Alert.objects.count()) == (0, 0)


def test_a_name_that_comes_and_goes_is_one_message_until_it_has_stayed_for_a_day() -> None:
    channel, llm = make_channel(), make_watched(name="gpt")
    for name in ("gpt-1", "gpt-2", "gpt-1", "gpt-2"):
        answer(llm, name)
        notice()
    alert = Alert.objects.get()
    assert (len(texts(channel)), alert.occurrences, alert.resolved_at) == (1, 3, None)
    notice(timezone.now() + DAY)
    alert.refresh_from_db()
    assert alert.resolve_reason == "settled"
    assert len(texts(channel)) == 1


def test_many_models_of_a_provider_that_change_together_are_one_message() -> None:
    channel = make_channel()
    fleet = make_fleet(providers=1, llms=5)
    for llm in fleet:
        answer(llm, "old", "new")
    assert notice() == 5
    (text,) = texts(channel)
    assert "5 of 5 models are answered by another model than before" in text


def test_a_notice_somebody_owns_is_not_told_again() -> None:
    channel, llm = make_channel(), make_watched()
    answer(llm, "a", "b")
    notice()
    Alert.objects.get().acknowledge()
    answer(llm, "a")
    notice()
    assert len(texts(channel)) == 1


def test_a_pause_of_the_budget_within_a_silence_is_told_when_the_silence_ends() -> None:
    channel = make_channel()
    later = timezone.now() + timedelta(hours=1)
    silence = Silence.objects.create(name="work", ends_at=later)
    run_out_of_money()
    notice()
    assert (tell_again(), texts(channel)) == (0, [])
    silence.delete()

    assert (tell_again(), tell_again()) == (1, 0)
    assert texts(channel)[0].startswith("Probing is paused")


def test_a_pause_of_the_budget_is_told_in_its_own_words_beside_changed_models() -> None:
    channel = make_channel()
    run_out_of_money()
    for llm in make_fleet(providers=2, llms=7):
        if llm.upstream_id.endswith(("-0", "-1", "-2")):
            answer(llm, "old", "new")
    assert notice() == 7
    budget, changes = texts(channel)
    assert budget.startswith("Probing is paused")
    assert changes.startswith("6 are answered by another model than before since")
