from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from arguslm.embedded.demo import last_port, seed
from providers.loop import close_engine_loop
from providers.simulator import Simulator, running_simulator


class Command(BaseCommand):
    help = "Serves the simulated models of `demo` and makes accounts for them."

    def handle(self, *args: Any, **options: Any) -> None:
        stops = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, stops)
        with simulator_where_it_was() as simulator:
            seed(simulator.base_url)
            close_engine_loop()
            connections.close_all()
            self.stdout.write(f"Simulated providers are at {simulator.base_url}.")
            self.stdout.flush()
            signal.sigwait(stops)


@contextmanager
def simulator_where_it_was() -> Iterator[Simulator]:
    """On the port of the last demo if it is free: rounds that are due need no new address."""
    with ExitStack() as stack:
        try:
            simulator = stack.enter_context(running_simulator(port=last_port()))
        except OSError:
            simulator = stack.enter_context(running_simulator())
        yield simulator
