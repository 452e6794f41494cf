from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts.models import (
    Alert,
    AlertRule,
    AlertSettings,
    Channel,
    Delivery,
    PerformanceBaseline,
    Silence,
)
from tests.alerts.receivers import receiving
from tests.alerts.storing import SECRET_URL, make_channel, make_fleet, make_watched, play
from tests.make import make_rule

pytestmark = pytest.mark.django_db
ADMIN = "/admin/alerts"


@pytest.fixture
def told() -> Channel:
    """A channel that a first alert is on its way to."""
    make_rule()
    channel = make_channel()
    play([make_watched(name="gpt-4")], "down")
    return channel


def page(client: Client, path: str) -> str:
    answer = client.get(f"{ADMIN}/{path}")
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, model: str, action: str, *rows: object) -> str:
    chosen = {"action": action, "_selected_action": [str(row) for row in rows]}
    return client.post(f"{ADMIN}/{model}/", chosen, follow=True).content.decode()


def test_every_page_opens_and_shows_no_secret(admin_client: Client, told: Channel) -> None:
    Silence.objects.create(name="work", ends_at=timezone.now())
    AlertSettings.load().seal_heartbeat(SECRET_URL)
    pages = [
        page(admin_client, f"{model}/")
        for model in ("alert", "alertrule", "channel", "delivery", "silence", "alertsettings")
    ]
    pages.append(page(admin_client, f"channel/{told.pk}/change/"))
    pages.append(page(admin_client, f"delivery/{Delivery.objects.get().pk}/change/"))
    pages.append(page(admin_client, f"alert/{Alert.objects.get().pk}/change/"))

    assert "T0ken-1234567890abcdef" not in "".join(pages)
    assert "hooks/***" in pages[6]
    assert "gpt-4" in pages[7]
    assert "opened" in pages[8]


def test_history_cannot_be_changed(admin_client: Client, told: Channel) -> None:
    delivery = Delivery.objects.get()
    assert admin_client.get(f"{ADMIN}/delivery/add/").status_code == 403
    assert admin_client.post(f"{ADMIN}/delivery/{delivery.pk}/change/", {}).status_code == 403
    assert admin_client.get(f"{ADMIN}/delivery/{delivery.pk}/delete/").status_code == 403


def test_a_test_is_sent_from_the_list(admin_client: Client) -> None:
    with receiving() as receiver:
        channel = make_channel(config={"url": receiver.url})
        shown = act(admin_client, "channel", "send_a_test", channel.pk)

    assert "Ops: taken" in shown
    assert len(receiver.got) == 1


def test_channels_are_switched(admin_client: Client, told: Channel) -> None:
    assert "1 channels switched off" in act(admin_client, "channel", "switch_off", told.pk)
    assert not Channel.objects.get().enabled
    assert "1 channels switched on" in act(admin_client, "channel", "switch_on", told.pk)
    assert Channel.objects.get().enabled


def test_a_delivery_is_sent_once_more(admin_client: Client, told: Channel) -> None:
    row = Delivery.objects.get()
    assert "on its way already" in act(admin_client, "delivery", "redeliver", row.pk)
    Delivery.objects.update(status="failed")
    assert "1 deliveries are sent" in act(admin_client, "delivery", "redeliver", row.pk)


def test_alerts_are_acknowledged(admin_client: Client, told: Channel) -> None:
    alert = Alert.objects.get()
    assert "1 alerts acknowledged" in act(admin_client, "alert", "acknowledge", alert.pk)
    assert alert.events.filter(kind="acknowledged").count() == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"rule_type": "performance_degradation", "enabled": "on"}, "rule_changed"),
        ({"rule_type": "any_model_down"}, "rule_disabled"),
    ],
)
def test_a_rule_that_is_changed_on_its_page_closes_what_it_no_longer_says(
    admin_client: Client, told: Channel, fields: dict[str, str], reason: str
) -> None:
    rule = AlertRule.objects.get()
    body = {"name": "New", "threshold_config": "null", "notify_in_app": "on", **fields}
    admin_client.post(f"{ADMIN}/alertrule/{rule.pk}/change/", body)

    rule.refresh_from_db()
    assert rule.name == "New"
    assert Alert.objects.get().resolve_reason == reason


def test_a_silence_that_makes_no_sense_is_refused(admin_client: Client) -> None:
    form = {"name": "x", "weekdays": '"monday"', "timezone": "Nowhere"}
    shown = admin_client.post(f"{ADMIN}/silence/add/", form).content.decode()

    assert "A list of whole numbers from 0" in shown
    assert "Must be a name like UTC" in shown
    assert not Silence.objects.exists()


@pytest.mark.parametrize(
    ("model", "queries"), [("alert", 6), ("delivery", 6), ("performancebaseline", 6)]
)
def test_a_list_costs_the_same_for_any_number_of_rows(
    admin_client: Client,
    model: str,
    queries: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_rule()
    make_channel()
    llms = make_fleet(3, 4)
    play(llms, "down")
    PerformanceBaseline.objects.bulk_create(
        PerformanceBaseline(
            llm=llm, prompt_pack="x", metric="ttft_ms", days=14, computed_at=timezone.now()
        )
        for llm in llms
    )
    with django_assert_max_num_queries(queries):
        page(admin_client, f"{model}/")
