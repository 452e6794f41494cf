from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.utils import timezone

from alerts import delivery, signatures
from alerts.backoff import DELAYS, GIVE_UP_AFTER
from alerts.delivery import due_channels
from alerts.models import Alert, Attempt, Channel, Delivery, Message
from alerts.transports import webhook
from arguslm.api.errors import Conflict
from tests.alerts.receivers import Receiver, answer, drip, in_turn, pour, receiving, slowly
from tests.alerts.storing import make_channel, make_watched, minutes_ago, play
from tests.make import make_rule

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def channel(receiver: Receiver) -> Channel:
    return make_channel(config={"url": receiver.url})


def make_messages(count: int = 1) -> None:
    """Openings and recoveries of one model, in turn."""
    make_rule()
    llm = make_watched()
    for number in range(count):
        play([llm], "up" if number % 2 else "down", minutes_ago(600 - 20 * number))


def send_all(channel: Channel) -> int:
    return delivery.drain(channel.pk)


def pass_time(by: timedelta) -> None:
    """Every waiting delivery becomes due `by` earlier."""
    for row in Delivery.objects.open():
        row.next_attempt_at -= by
        row.save(update_fields=["next_attempt_at"])


def statuses() -> list[str]:
    return list(Delivery.objects.order_by("seq").values_list("status", flat=True))


def last_attempt() -> Attempt:
    found = Attempt.objects.order_by("pk").last()
    assert found is not None
    return found


def test_a_message_arrives_signed(channel: Channel, receiver: Receiver) -> None:
    make_messages()
    assert send_all(channel) == 1

    [got] = receiver.got
    stored = Delivery.objects.get()
    assert (got.id, stored.status) == (str(stored.id), "delivered")
    [secret] = channel.signing_secrets(timezone.now())
    stamp = int(got.headers["webhook-timestamp"])
    assert got.headers["webhook-signature"] == signatures.signature(secret, got.id, stamp, got.body)
    assert abs(stamp - datetime.now(UTC).timestamp()) < 30
    assert json.loads(got.body) == Message.objects.get().payload


def test_a_rotated_secret_signs_beside_the_old_one(channel: Channel, receiver: Receiver) -> None:
    [old] = channel.signing_secrets(timezone.now())
    new = channel.rotate_secret()
    make_messages()
    send_all(channel)

    [got] = receiver.got
    stamp = int(got.headers["webhook-timestamp"])
    wanted = [signatures.signature(s, got.id, stamp, got.body) for s in (new, old)]
    assert got.headers["webhook-signature"].split(" ") == wanted


def test_order_is_kept_within_a_channel(channel: Channel, receiver: Receiver) -> None:
    make_messages(4)
    assert send_all(channel) == 4

    types = [json.loads(each.body)["type"] for each in receiver.got]
    assert types == ["alerts.down", "alerts.recovered"] * 2


def test_a_failing_head_holds_the_recovery_back(channel: Channel, receiver: Receiver) -> None:
    make_messages(2)
    receiver.behave = answer(503)
    assert send_all(channel) == 0
    assert len(receiver.got) == 1

    receiver.behave = answer(200)
    assert send_all(channel) == 0
    pass_time(DELAYS[0])
    assert send_all(channel) == 2
    opening, again, recovery = receiver.ids
    assert opening == again != recovery


def test_one_channel_does_not_wait_for_another(receiver: Receiver) -> None:
    with receiving(answer(500)) as broken:
        bad = make_channel(config={"url": broken.url})
        good = make_channel(config={"url": receiver.url})
        make_messages(2)

        assert (send_all(bad), send_all(good)) == (0, 2)


def test_a_receiver_that_is_away_for_an_hour_gets_everything_in_order(
    channel: Channel, receiver: Receiver
) -> None:
    make_messages(4)
    receiver.behave = answer(502)
    for step in range(5):
        assert send_all(channel) == 0
        pass_time(DELAYS[step])
    receiver.behave = answer(200)
    assert send_all(channel) == 4

    assert list(dict.fromkeys(receiver.ids)) == [
        str(pk) for pk in Delivery.objects.order_by("seq").values_list("id", flat=True)
    ]
    assert set(statuses()) == {"delivered"}


def test_nobody_at_the_address_is_tried_again(channel: Channel) -> None:
    channel.seal({"url": "http://127.0.0.1:9/hooks/ops"})
    channel.save()
    make_messages()
    send_all(channel)

    assert statuses() == ["pending"]
    assert last_attempt().error == "No connection could be made."
    assert last_attempt().status_code is None


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(("header", "least_s"), [("120", 119), (None, 3000)])
def test_a_receiver_may_say_when_to_come_back(
    channel: Channel, receiver: Receiver, header: str | None, least_s: float
) -> None:
    receiver.behave = answer(429, retry_after=header or in_an_hour())
    make_messages()
    send_all(channel)

    wait = Delivery.objects.get().next_attempt_at - timezone.now()
    assert least_s <= wait.total_seconds() <= 3700
    assert last_attempt().error == "The receiver answered 429: it asks us to slow down."


@pytest.mark.parametrize("status", [401, 404, 410])
def test_a_receiver_that_is_gone_is_switched_off_and_we_say_so(
    channel: Channel, receiver: Receiver, status: int
) -> None:
    receiver.behave = answer(status)
    make_messages(2)
    send_all(channel)

    channel.refresh_from_db()
    assert not channel.enabled
    assert str(status) in channel.disabled_reason
    notice = Alert.objects.get(scope=f"channel:{channel.pk}")
    assert (notice.in_app, notice.state) == (True, "open")
    assert len(receiver.got) == 1
    assert due_channels(timezone.now()) == []


def test_a_channel_that_is_switched_on_again_goes_on_where_it_stopped(
    channel: Channel, receiver: Receiver
) -> None:
    receiver.behave = answer(410)
    make_messages(2)
    send_all(channel)
    receiver.behave = answer(200)
    channel.refresh_from_db()
    channel.switch_on()
    pass_time(DELAYS[0])

    assert send_all(channel) == 2
    assert Alert.objects.get(rule_type="channel_disabled").state == "resolved"


def test_a_channel_that_was_off_for_a_day_sends_no_old_news(
    channel: Channel, receiver: Receiver
) -> None:
    receiver.behave = answer(410)
    make_messages(2)
    send_all(channel)
    Delivery.objects.update(give_up_at=timezone.now(), next_attempt_at=timezone.now())
    receiver.behave = answer(200)
    channel.refresh_from_db()
    channel.switch_on()

    assert send_all(channel) == 0
    assert statuses() == ["failed", "failed"]
    assert len(receiver.got) == 1


def test_what_waits_for_a_channel_that_stays_off_is_given_up_after_a_day(channel: Channel) -> None:
    make_messages()
    channel.switch_off("It is gone.")
    later = timezone.now() + GIVE_UP_AFTER
    assert Delivery.objects.give_up_waiting(later - timedelta(minutes=1)) == 0
    assert Delivery.objects.give_up_waiting(later + timedelta(minutes=1)) == 1
    assert statuses() == ["failed"]


def test_what_a_server_that_was_off_for_a_day_owes_is_sent_once(
    channel: Channel, receiver: Receiver
) -> None:
    make_messages()
    Delivery.objects.update(give_up_at=timezone.now() - timedelta(hours=1))

    assert send_all(channel) == 1
    assert statuses() == ["delivered"]


def test_redirects_are_not_followed(channel: Channel, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.behave = answer(307, location=elsewhere.url)
        make_messages()
        send_all(channel)

        assert elsewhere.got == []
    assert last_attempt().error == "The receiver answered 307: redirects are not followed."
    assert statuses() == ["pending"]


def test_forty_megabytes_of_an_answer_are_not_read(channel: Channel, receiver: Receiver) -> None:
    sent: list[int] = []
    receiver.behave = pour(40_000_000, sent)
    make_messages()

    assert send_all(channel) == 1
    assert sum(sent) < 40_000_000


def test_a_slow_200_is_a_delivery(channel: Channel, receiver: Receiver) -> None:
    receiver.behave = slowly(2.5, answer(200))
    make_messages()

    assert send_all(channel) == 1
    assert last_attempt().duration_ms > 2400
    assert Delivery.objects.get().crashes == 0


def test_a_200_whose_body_never_ends_is_a_delivery(
    channel: Channel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "BODY_S", 0.2)
    ended = threading.Event()
    receiver.behave = drip(200, ended)
    make_messages()
    assert send_all(channel) == 1
    ended.set()

    assert (last_attempt().status_code, len(receiver.got)) == (200, 1)


def test_a_receiver_that_never_answers_is_left(
    channel: Channel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TOTAL_S", 0.3)
    receiver.behave = slowly(1.5, answer(200))
    make_messages()
    send_all(channel)

    assert statuses() == ["pending"]
    assert last_attempt().error == "The receiver did not answer within 0 s."


def test_a_message_that_a_receiver_never_takes_does_not_block_for_ever(
    channel: Channel, receiver: Receiver
) -> None:
    make_messages(2)
    receiver.behave = in_turn(*[answer(422)] * 5, answer(200))
    for step in range(5):
        send_all(channel)
        pass_time(DELAYS[step])
    send_all(channel)

    assert statuses() == ["failed", "delivered"]


def test_after_a_day_a_message_is_given_up(channel: Channel, receiver: Receiver) -> None:
    receiver.behave = answer(500)
    make_messages()
    Delivery.objects.update(give_up_at=timezone.now() + timedelta(seconds=3))
    send_all(channel)

    assert statuses() == ["failed"]
    assert Channel.objects.get().enabled


def test_what_was_given_up_may_be_sent_again_under_the_same_id(
    channel: Channel, receiver: Receiver
) -> None:
    receiver.behave = in_turn(answer(500), answer(200))
    make_messages()
    Delivery.objects.update(give_up_at=timezone.now())
    send_all(channel)
    Delivery.objects.get().redeliver()
    send_all(channel)

    assert statuses() == ["delivered"]
    assert len(set(receiver.ids)) == 1
    assert Attempt.objects.count() == 2


def test_what_ended_its_workers_may_be_sent_again_too(channel: Channel) -> None:
    make_messages()
    Delivery.objects.update(crashes=delivery.MAX_CRASHES + 1)
    send_all(channel)
    assert statuses() == ["failed"]
    Delivery.objects.get().redeliver()
    send_all(channel)

    assert statuses() == ["delivered"]


def test_what_is_on_its_way_is_not_sent_again_by_hand(channel: Channel) -> None:
    make_messages()
    with pytest.raises(Conflict):
        Delivery.objects.get().redeliver()


def test_a_deleted_channel_leaves_its_history(channel: Channel) -> None:
    make_messages(2)
    send_all(channel)
    make_messages(1)
    channel.retire()

    assert statuses() == ["delivered", "delivered", "cancelled"]
    assert {row.channel_name for row in Delivery.objects.all()} == {"Ops"}


def test_a_receiver_of_bad_manners_gets_no_word_into_our_rows(
    channel: Channel, receiver: Receiver
) -> None:
    receiver.behave = answer(500, b"<script>sk-live-123</script>", x_note="whsec_leak")
    make_messages()
    send_all(channel)

    assert last_attempt().error == "The receiver answered 500."


def test_the_address_of_a_channel_is_in_no_log(
    channel: Channel, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    receiver.behave = answer(500)
    make_messages()
    send_all(channel)

    assert "/hooks/ops" not in caplog.text
    assert "whsec_" not in caplog.text


def everything_of(row: Any) -> str:
    return repr(row) + str(row) + repr(vars(row))


def test_secrets_are_in_no_repr(channel: Channel, receiver: Receiver) -> None:
    [secret] = channel.signing_secrets(timezone.now())
    fresh = Channel.objects.get()

    assert secret not in everything_of(fresh)
    assert receiver.url not in everything_of(fresh)
