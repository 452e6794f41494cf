"""The whole server as an operator runs it; the process that sends alerts is killed in mid-send."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from providers.simulator import running_simulator
from tests.alerts.receivers import answer, in_turn, receiving, slowly
from tests.embedded.house import House, running_house, wait_until

API = "/api/v1"


def call(house: House, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        house.url + API + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read() or b"null")


def watch_a_broken_model(house: House) -> None:
    """An account at a port where nobody listens, with one monitored model and a rule."""
    account = {
        "provider_type": "lm_studio",
        "display_name": "Broken",
        "credentials": {"base_url": "http://127.0.0.1:9/v1"},
    }
    provider_id = call(house, "POST", "/providers", account)["id"]
    model = {"provider_account_id": provider_id, "model_id": "sim:ttft=60,gap=2,tokens=20"}
    model_id = call(house, "POST", "/models", model)["id"]
    call(house, "PATCH", f"/models/{model_id}", {"enabled_for_monitoring": True})
    call(house, "POST", "/alerts/rules", {"name": "Any", "rule_type": "any_model_down"})


def run_again(house: House) -> bool:
    return bool(call(house, "POST", "/monitoring/run", {}))


@pytest.mark.slow
def test_a_message_survives_the_death_of_the_process_that_sends_it(tmp_path: Path) -> None:
    once_slow = in_turn(slowly(30, answer(200)), answer(204))
    with receiving(once_slow) as receiver, running_house(tmp_path / "data") as house:
        config = {"kind": "webhook", "name": "Ops", "config": {"url": receiver.url}}
        call(house, "POST", "/alerts/channels", config)
        watch_a_broken_model(house)
        call(house, "POST", "/monitoring/run", {})
        assert wait_until(lambda: len(receiver.got) == 1, 60)
        sender = house.child("arguslm.alerts")
        assert sender is not None
        os.kill(sender, signal.SIGKILL)

        assert wait_until(lambda: len(receiver.got) == 2, 60)
        assert len(set(receiver.ids)) == 1
        found = call(house, "GET", "/alerts/deliveries")["items"]
        assert wait_until(
            lambda: call(house, "GET", "/alerts/deliveries")["items"][0]["status"] == "delivered"
        )
    assert [row["topic"] for row in found] == ["down"]


@pytest.mark.slow
def test_an_outage_and_its_end_reach_the_receiver(tmp_path: Path) -> None:
    with (
        running_simulator() as simulator,
        receiving() as receiver,
        running_house(tmp_path / "data") as house,
    ):
        config = {"kind": "webhook", "name": "Ops", "config": {"url": receiver.url}}
        call(house, "POST", "/alerts/channels", config)
        watch_a_broken_model(house)
        call(house, "POST", "/monitoring/run", {})
        assert wait_until(lambda: len(receiver.got) == 1, 60)
        [provider] = call(house, "GET", "/providers")["providers"]
        healthy = {"credentials": {"base_url": f"{simulator.base_url}/v1"}}
        call(house, "PATCH", f"/providers/{provider['id']}", healthy)
        # The first round may still be open: its failure was told before its end.
        assert wait_until(lambda: run_again(house) and len(receiver.got) == 2, 60)

    types = [json.loads(each.body)["type"] for each in receiver.got]
    assert types == ["alerts.down", "alerts.recovered"]
