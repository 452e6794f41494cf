from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from arguslm.embedded.broker import running_broker
from benchmarks import execution
from providers.simulator import Simulator, running_simulator


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data_dir: Path = tmp_path_factory.mktemp("valkey")
    with running_broker(data_dir) as url:
        yield url


@pytest.fixture
def channel_layer(valkey_url: str, settings: Settings) -> None:
    use_broker(settings, valkey_url)


def use_broker(settings: Settings, url: str) -> None:
    """The channel layer as it is configured, at another address."""
    layer = settings.CHANNEL_LAYERS["default"]
    host = {**layer["CONFIG"]["hosts"][0], "address": url}
    config = {**layer["CONFIG"], "hosts": [host]}
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": config}}


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


@pytest.fixture(autouse=True)
def worker_keeps_working() -> Iterator[None]:
    yield
    execution.draining.clear()
