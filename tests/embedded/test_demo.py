from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from alerts.models import AlertRule
from arguslm.embedded.demo import ACCOUNTS, last_port, seed
from models_app.models import LLM
from monitoring.models import MonitoringConfig
from providers.models import ProviderAccount
from providers.simulator import running_simulator
from tests.embedded.house import House, running_house, wait_until


@pytest.mark.django_db
def test_the_first_demo_makes_accounts_with_monitored_models_and_rules() -> None:
    with running_simulator() as simulator:
        seed(simulator.base_url)

    assert ProviderAccount.objects.count() == len(ACCOUNTS)
    monitored = LLM.objects.monitored().values_list("account__display_name", "upstream_id")
    assert set(monitored) == {(a.display_name, name) for a in ACCOUNTS for name in a.monitored}
    assert AlertRule.objects.count() == 2
    assert MonitoringConfig.load().interval_minutes == 1
    assert MonitoringConfig.load().next_due_at is None


@pytest.mark.django_db
def test_the_next_demo_follows_the_simulator_and_leaves_what_was_changed() -> None:
    assert last_port() == 0
    with running_simulator() as first:
        seed(first.base_url)
        assert f":{last_port()}" in first.base_url
    MonitoringConfig.objects.update(interval_minutes=5)
    AlertRule.objects.all().delete()
    LLM.objects.filter(upstream_id="sim-down").update(enabled_for_monitoring=False)

    with running_simulator() as second:
        seed(second.base_url)

    addresses = {account.base_url for account in ProviderAccount.objects.all()}
    assert addresses == {second.base_url, f"{second.base_url}/v1"}
    assert MonitoringConfig.load().interval_minutes == 5
    assert not AlertRule.objects.exists()
    assert not LLM.objects.monitored().filter(upstream_id="sim-down").exists()


def read(house: House, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{house.url}/api/v1/{path}", timeout=20) as response:
        found: dict[str, Any] = json.load(response)
    return found


def addresses_of(house: House) -> list[str]:
    return [account["base_url"] for account in read(house, "providers")["providers"]]


def test_the_demo_is_alive_and_a_later_one_finds_its_models_where_they_were(tmp_path: Path) -> None:
    with running_house(tmp_path / "data", "demo") as house:
        assert house.lines[2] == f"Next: watch the simulated providers at {house.url}/overview"
        ups = "monitoring/uptime?status=up"
        assert wait_until(lambda: int(read(house, ups)["total"]) >= 3, timeout_s=60)
        addresses = addresses_of(house)
    with running_house(tmp_path / "data", "demo") as again:
        assert wait_until(lambda: again.log("models").count("Simulated providers are at") == 2)
        assert addresses_of(again) == addresses
