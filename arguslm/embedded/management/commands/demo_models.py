from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from arguslm.embedded.demo import seed
from providers.loop import close_engine_loop
from providers.simulator import running_simulator


class Command(BaseCommand):
    help = "Serves the simulated models of `demo` and makes accounts for them."

    def handle(self, *args: Any, **options: Any) -> None:
        stops = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, stops)
        with running_simulator() as simulator:
            seed(simulator.base_url)
            close_engine_loop()
            connections.close_all()
            self.stdout.write(f"Simulated providers are at {simulator.base_url}.")
            self.stdout.flush()
            signal.sigwait(stops)
