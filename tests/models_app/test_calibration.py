from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from arguslm.celery import refresh_error_bars
from models_app.calibration import ErrorBars, store
from models_app.models import Calibration
from providers import calibration
from providers.adapters import ClientPool
from providers.calibration import Finding, Report, Scenario
from providers.loop import engine_loop

pytestmark = pytest.mark.django_db
SHORT = (Scenario(2, seconds=0.1), Scenario(3, 20, seconds=0.1))
ODD: tuple[Scenario, ...] = (
    Scenario(6, kind="reasoning", seconds=0.1),
    Scenario(6, kind="stall", seconds=0.1),
)


def make_finding(**given: Any) -> Finding:
    facts: dict[str, Any] = {
        "streams": 20,
        "tokens_per_chunk": 1,
        "kind": "plain",
        "n": 50,
        "bias_ms": -0.1,
        "spread_ms": 0.2,
        "p99_ms": 0.9,
        "server_p99_ms": 0.5,
        "tpot_error": 0.0001,
        "are_tokens_exact": True,
        "cpu_ms_per_1000_tokens": 40.0,
        "tokens_per_s": 800.0,
        "lagged": 0,
        "left_out": 0,
        "failed": 0,
    }
    return Finding(**(facts | given))


def make_calibration(*findings: Finding, noise: tuple[str, ...] = ()) -> Calibration:
    return store(Report(findings or (make_finding(),), noise, {"processors": 2}), quick=True)


def test_without_a_calibration_the_api_says_how_to_make_one(api: APIClient) -> None:
    answer = api.get("/api/v1/calibration")

    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("calibrated") is False
    assert body.pop("message").endswith("Run: python manage.py calibrate")
    assert set(body.values()) == {None}


def test_the_newest_calibration_counts(api: APIClient, django_assert_num_queries: Any) -> None:
    old = make_calibration(make_finding(bias_ms=5.0))
    Calibration.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=1))
    make_calibration(make_finding(streams=1, bias_ms=7.0), make_finding(), noise=("Busy.",))

    with django_assert_num_queries(1):
        body = api.get("/api/v1/calibration").json()

    assert (body["calibrated"], body["quick"], body["noisy"]) == (True, True, True)
    assert (body["bias_ms"], body["spread_ms"], body["p99_ms"]) == (-0.1, 0.2, 0.9)
    assert body["noise"] == ["Busy."]
    assert [row["streams"] for row in body["scenarios"]] == [1, 20]


def test_the_error_bars_take_up_the_newest_calibration_once_a_minute() -> None:
    clients, bars = ClientPool(), ErrorBars()
    bars.refresh(clients)
    before = (clients.bias_ms, clients.spread_ms)
    make_calibration()
    bars.refresh(clients)
    within_the_minute = (clients.bias_ms, clients.spread_ms)
    ErrorBars().refresh(clients)

    assert before == within_the_minute == (0.0, 0.0)
    assert (clients.bias_ms, clients.spread_ms) == (-0.1, 0.2)


def test_a_worker_looks_for_a_calibration_before_its_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_calibration()
    monkeypatch.setattr("models_app.calibration.error_bars", ErrorBars())

    refresh_error_bars(task_id="any")

    clients = engine_loop().clients
    assert (clients.bias_ms, clients.spread_ms) == (-0.1, 0.2)
    clients.set_calibration(0.0)


def test_a_calibration_that_compared_nothing_changes_no_error_bar() -> None:
    clients = ClientPool()
    make_calibration(make_finding(n=0, bias_ms=None, spread_ms=None, p99_ms=None))

    ErrorBars().refresh(clients)

    assert (clients.bias_ms, clients.spread_ms) == (0.0, 0.0)


def test_the_command_measures_prints_and_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models_app.management.commands.calibrate.QUICK", SHORT)
    out = StringIO()

    # A busy machine may hold up every stream of a try; those are left out of the figures.
    for _ in range(6):
        call_command("calibrate", "--quick", stdout=out)
        stored = Calibration.objects.latest("created_at")
        if stored.bias_ms is not None:
            break

    assert stored.quick
    assert stored.bias_ms is not None
    assert [row["tokens_per_chunk"] for row in stored.scenarios] == [1, 20]
    assert all(row["are_tokens_exact"] and not row["failed"] for row in stored.scenarios)
    assert "CPU-ms/1000" in out.getvalue()
    assert "Stored: at 20 streams" in out.getvalue()


def is_accurate(finding: Finding) -> bool:
    if finding.tpot_error is None or finding.p99_ms is None:
        return False
    return abs(finding.tpot_error) < 0.05 and finding.p99_ms < 50


def test_thinking_and_stalling_streams_are_measured_as_well() -> None:
    # A busy machine spoils the times of a try, never its tokens; a wrong formula spoils every try.
    left = ODD
    for _ in range(8):
        findings = calibration.calibrate(left).findings
        assert [finding.kind for finding in findings] == [scenario.kind for scenario in left]
        assert all(one.are_tokens_exact and not one.failed for one in findings)
        pairs = zip(left, findings, strict=True)
        left = tuple(scenario for scenario, finding in pairs if not is_accurate(finding))
        if not left:
            break

    assert not left, findings


def test_a_busy_machine_is_called_noisy() -> None:
    quiet = tuple(calibration._noise((make_finding(),), load=0.0))
    busy = tuple(calibration._noise((make_finding(left_out=50),), load=64.0))

    assert [sentence for sentence in quiet if "share" not in sentence] == []
    assert any("load average was 64.0" in sentence for sentence in busy)
    assert any("held up in 50 of 100 streams" in sentence for sentence in busy)
