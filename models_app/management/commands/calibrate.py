from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from models_app.calibration import store
from models_app.models import Calibration
from providers.calibration import FULL, QUICK, Finding, calibrate

COLUMNS = "{:>7} {:>12} {:>10} {:>6} {:>8} {:>8} {:>8} {:>10} {:>9} {:>11} {:>7}"
TITLES = (
    *("streams", "tokens/chunk", "kind", "n", "bias ms", "± ms", "p99 ms", "server p99"),
    *("TPOT off", "CPU-ms/1000", "lagged"),
)


class Command(BaseCommand):
    help = "Measure how far off this installation measures, against the built-in simulator."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quick", action="store_true", help="a dozen seconds instead of 90")

    def handle(self, *args: Any, **options: Any) -> None:
        quick: bool = options["quick"]
        Calibration.objects.exists()  # no minute of measuring for a database that cannot take it
        self.stdout.write(COLUMNS.format(*TITLES))
        try:
            report = calibrate(QUICK if quick else FULL, self._tell)
        except RuntimeError as exc:
            raise CommandError(str(exc)) from exc
        self._conclude(store(report, quick=quick))

    def _tell(self, found: Finding) -> None:
        row = COLUMNS.format(
            found.streams,
            found.tokens_per_chunk,
            found.kind,
            found.n,
            _shown(found.bias_ms),
            _shown(found.spread_ms),
            _shown(found.p99_ms),
            _shown(found.server_p99_ms),
            "-" if found.tpot_error is None else f"{found.tpot_error:+.3%}",
            _shown(found.cpu_ms_per_1000_tokens, 1),
            found.lagged,
        )
        self.stdout.write(row)
        self.stdout.flush()
        if found.failed or not found.are_tokens_exact:
            self.stdout.write(f"  {found.failed} failed; tokens exact: {found.are_tokens_exact}")

    def _conclude(self, stored: Calibration) -> None:
        bias, spread = _shown(stored.bias_ms), _shown(stored.spread_ms)
        self.stdout.write(
            f"Stored: at 20 streams the TTFT is off by {bias} ms ± {spread} ms. Error bars of "
            "workers that run take this up within a minute."
        )
        for reason in stored.noise:
            self.stdout.write(f"Noisy: {reason} Run it again when the machine is quiet.")


def _shown(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
