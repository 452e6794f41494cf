from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from models_app.models import LLM
from monitoring.models import MonitoringConfig
from providers.models import ProviderAccount
from providers.simulator import Simulator, running_simulator
from tests import postgres
from tests.make import make_account, make_llm
from tests.postgres import Cluster

AccountMaker = Callable[..., ProviderAccount]
KEYS = {
    "SECRET_KEY": "for-faults-" + "x" * 50,
    "ENCRYPTION_KEY": "2c4vE7Qm1mT6oJY2J9d0m1cQyqk0m1qkZf0c2o1cQyo=",
}


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


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if not postgres.is_installed():
        pytest.skip("no PostgreSQL on this machine")
    with postgres.running_cluster() as running:
        yield running


def on_postgresql(cluster: Cluster) -> dict[str, str]:
    """The environment of a server on an empty database."""
    return KEYS | {"DATABASE_URL": cluster.make_database()}


@pytest.fixture(params=["sqlite", "postgresql"])
def on_each_database(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return KEYS
    return on_postgresql(request.getfixturevalue("cluster"))


def make_monitored() -> LLM:
    return make_llm(enabled_for_monitoring=True)
