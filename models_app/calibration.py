"""The stored calibration of this installation, and the error bars that it widens."""

from __future__ import annotations

from typing import Any

from models_app.models import Calibration
from providers.adapters import ClientPool
from providers.calibration import Report
from providers.measurement import now_ns

FRESH_NS = 60 * 1_000_000_000
HOW = "This installation has not been calibrated. Run: python manage.py calibrate"


def store(report: Report, *, quick: bool) -> Calibration:
    reference = report.reference
    return Calibration.objects.create(
        quick=quick,
        noise=list(report.noise),
        bias_ms=reference.bias_ms,
        spread_ms=reference.spread_ms,
        p99_ms=reference.p99_ms,
        cpu_ms_per_1000_tokens=reference.cpu_ms_per_1000_tokens,
        scenarios=report.rows(),
        client=report.client,
    )


def latest() -> Calibration | None:
    return Calibration.objects.first()


def described(calibration: Calibration | None) -> dict[str, Any]:
    if calibration is None:
        return {"calibrated": False, "message": HOW}
    names = ("created_at", "quick", "noisy", "noise", *Calibration.FIGURES, "scenarios", "client")
    return {"calibrated": True, **{name: getattr(calibration, name) for name in names}}


class ErrorBars:
    """Hands the latest calibration to a process's clients, looking for a newer one each minute."""

    def __init__(self) -> None:
        self._looked_ns: int | None = None

    def refresh(self, clients: ClientPool) -> None:
        at_ns = now_ns()
        if self._looked_ns is not None and at_ns - self._looked_ns < FRESH_NS:
            return
        self._looked_ns = at_ns
        found = latest()
        if found is not None and found.bias_ms is not None:
            clients.set_calibration(found.bias_ms, found.spread_ms or 0.0)


error_bars = ErrorBars()
