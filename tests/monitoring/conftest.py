from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from models_app.models import LLM
from monitoring.models import MonitoringConfig
from providers.models import ProviderAccount
from providers.simulator import Simulator, running_simulator
from tests.make import make_account, make_llm

AccountMaker = Callable[..., ProviderAccount]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def make_simulated(simulator: Simulator) -> AccountMaker:
    """An account at the simulator with one monitored LLM for each given name."""

    def make(*names: str, **fields: object) -> ProviderAccount:
        account = make_account(
            {"base_url": f"{simulator.base_url}/v1"}, provider_type="lm_studio", **fields
        )
        for name in names:
            make_llm(account, name, enabled_for_monitoring=True)
        return account

    return make


@pytest.fixture
def quick_confirmation(db: None) -> None:
    MonitoringConfig.load()
    MonitoringConfig.objects.update(confirmation_pauses_s=[0, 0])


def make_monitored() -> LLM:
    return make_llm(enabled_for_monitoring=True)
