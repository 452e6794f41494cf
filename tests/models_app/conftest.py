from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.loop import close_engine_loop
from providers.simulator import Simulator, running_simulator

KEY = "sk-right-key-0123456789"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator(api_keys=frozenset({KEY})) as running:
        yield running
    close_engine_loop()
