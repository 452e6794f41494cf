"""The small pure parts of delivery: signatures, back-off, addresses, incidents, own fault."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import signatures
from alerts.backoff import GIVE_UP_AFTER, next_attempt, retry_after_s
from alerts.incidents import AlertSpan, incidents
from alerts.letters import letter, payload_of
from alerts.outages import outage_episodes
from alerts.own_fault import Look, may_be_ours
from alerts.templates import TEMPLATES, TITLE_LIMIT
from alerts.topics import Topic
from alerts.transports.answers import Verdict, answer_of
from alerts.webhook_addresses import masked, webhook_fault
from monitoring.status import CheckStatus
from providers.errors import ErrorClass
from tests.alerts.builders import NOON, make_id, minutes


def test_the_example_of_standard_webhooks_is_signed_as_it_says() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signed = signatures.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_new_secret_has_256_bits_and_signs() -> None:
    secret = signatures.new_secret()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = hmac.new(key, b"id.7.body", hashlib.sha256).digest()
    assert len(key) == 32
    assert signatures.signature(secret, "id", 7, b"body") == (
        "v1," + base64.b64encode(wanted).decode()
    )


def test_a_secret_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        signatures.key_of("whsec_*")


@pytest.mark.parametrize(
    ("made", "seconds"), [(1, 5), (2, 30), (3, 120), (4, 600), (5, 1800), (6, 3600), (99, 3600)]
)
def test_pauses_grow_to_an_hour(made: int, seconds: int) -> None:
    assert next_attempt(made, NOON, None) == NOON + timedelta(seconds=seconds)


def test_the_receiver_may_ask_for_more_but_not_for_less_or_for_years() -> None:
    assert next_attempt(1, NOON, 90.0) == NOON + timedelta(seconds=90)
    assert next_attempt(6, NOON, 1.0) == NOON + timedelta(hours=1)
    assert next_attempt(1, NOON, 1e12) == NOON + GIVE_UP_AFTER


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 99999999999999999999 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOON) == seconds


@given(st.text(max_size=60))
def test_no_header_breaks_the_reader(header: str) -> None:
    found = retry_after_s(header, NOON)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/hooks/alerts", "https://example.org/hooks/alerts"),
        ("https://example.org:8443/v1/in", "https://example.org:8443/v1/in"),
        ("https://user:pw@example.org/in", "https://***@example.org/in"),
        ("https://example.org/in?key=abc&x=1", "https://example.org/in?key=***&x=***"),
        ("https://example.org/T0ken99/in", "https://example.org/***/in"),
        ("https://hooks.slack.com/services/T1/B2/x", "https://hooks.slack.com/***"),
        ("https://discord.com/api/webhooks/1/abc", "https://discord.com/***"),
        ("https://a.webhook.office.com/webhookb2/x", "https://a.webhook.office.com/***"),
        ("https://webhook.site/0e8d8b1c-aaaa-4a4a", "https://webhook.site/***"),
    ],
)
def test_what_may_be_secret_in_an_address_is_masked(url: str, shown: str) -> None:
    assert webhook_fault(url) is None
    assert masked(url) == shown
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x", "https://", "example.org", "https://a b", "https://x/#frag", "http://[::1"],
)
def test_what_is_no_address_is_named(url: str) -> None:
    assert webhook_fault(url)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (302, Verdict.AGAIN),
        (400, Verdict.UNACCEPTABLE),
        (401, Verdict.PERMANENT),
        (403, Verdict.AGAIN),
        (404, Verdict.PERMANENT),
        (408, Verdict.AGAIN),
        (410, Verdict.PERMANENT),
        (429, Verdict.AGAIN),
        (500, Verdict.AGAIN),
    ],
)
def test_a_status_has_a_verdict(status: int, verdict: Verdict) -> None:
    answer = answer_of(status)
    assert answer.verdict is verdict
    assert bool(answer.error) is not answer.ok


@pytest.mark.parametrize("kind", TEMPLATES)
@pytest.mark.parametrize("topic", Topic)
def test_every_kind_of_channel_has_words_for_every_topic(kind: str, topic: Topic) -> None:
    text = "gpt-4 {is} down.\n" + "x" * 300
    payload = payload_of(topic, text, scope="s", at=NOON, link="http://here/alerts")
    made = letter(kind, "id", payload)
    assert bool(made.title) is (kind != "pagerduty")
    assert len(made.title) <= TITLE_LIMIT
    assert "\n" not in made.title
    assert text in made.body


def span(number: int, start: float, end: float | None, provider: int | None = 1) -> AlertSpan:
    return AlertSpan(
        make_id(number),
        make_id(provider) if provider else None,
        minutes(start),
        None if end is None else minutes(end),
        make_id(100 + number),
        "connect",
    )


def test_alerts_of_a_provider_that_overlap_are_one_incident() -> None:
    found = incidents([span(1, 0, 30), span(2, 10, 20), span(3, 40, 50), span(4, 90, None)])
    assert [(each.llm_count, each.is_open) for each in found] == [(1, True), (3, False)]
    assert (found[1].started_at, found[1].ended_at) == (minutes(0), minutes(50))


def test_providers_have_incidents_of_their_own() -> None:
    found = incidents([span(1, 0, 30, 1), span(2, 0, 30, 2), span(3, 0, None, None)])
    assert len(found) == 3


def test_an_open_alert_keeps_the_incident_open() -> None:
    [found] = incidents([span(1, 0, None), span(2, 60, 70)])
    assert found.is_open


def look(place: str, error_class: ErrorClass | None) -> Look:
    status = CheckStatus.DOWN if error_class else CheckStatus.UP
    return Look(place, status, error_class)


LOST, BROKEN = ErrorClass.CONNECT, ErrorClass.SERVER_ERROR


@pytest.mark.parametrize(
    ("places", "looks", "ours"),
    [
        ("ab", [look("a", LOST)], False),
        ("abc", [look("a", LOST)], True),
        ("abc", [look("a", LOST), look("b", BROKEN)], False),
        ("abcd", [look("a", LOST), look("b", None)], True),
        ("abcdef", [look("a", LOST), look("b", None), look("c", None), look("d", BROKEN)], True),
        ("abcde", [look("a", LOST), look("b", None), look("c", BROKEN), look("d", None)], False),
    ],
)
def test_a_lost_network_is_suspected_while_it_still_may_be_ours(
    places: str, looks: list[Look], ours: bool
) -> None:
    assert may_be_ours(places, looks) is ours


def test_outages_are_counted_as_alerts_would_be() -> None:
    pattern = [(0, True), (15, True), (30, False), (40, True), (50, False), (90, True)]
    found = outage_episodes((minutes(at), down, "connect") for at, down in pattern)
    assert [(each.started_at, each.ended_at) for each in found] == [
        (minutes(0), minutes(50)),
        (minutes(90), None),
    ]


def test_what_is_unknown_neither_opens_nor_ends_an_outage() -> None:
    pattern = [(0, None), (15, True), (30, None), (45, True), (60, False)]
    found = outage_episodes((minutes(at), down, "") for at, down in pattern)
    assert [(each.started_at, each.ended_at) for each in found] == [(minutes(15), minutes(60))]


def test_dates_are_read_in_utc() -> None:
    assert (
        retry_after_s("Sun, 01 Mar 2026 12:00:30 GMT", datetime(2026, 3, 1, 12, tzinfo=UTC)) == 30
    )
