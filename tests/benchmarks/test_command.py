from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from benchmarks.gates import BadGate, Gate
from benchmarks.models import BenchmarkRun
from benchmarks.terminal import Board
from providers.simulator import Simulator
from tests.benchmarks.wire import FAST, make_bad, make_good, make_simulated_llm
from tests.make import make_llm, make_run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def benchmark(*models: str, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("benchmark", *models, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("channel_layer")
def test_a_run_in_the_terminal_is_a_run_of_the_server(simulator: Simulator, tmp_path: Path) -> None:
    make_simulated_llm(simulator, custom_name="fast")

    out, err = benchmark("fast", runs=4, pack="reasoning", html=tmp_path / "report.html")

    run = BenchmarkRun.objects.get()
    assert (run.status, run.num_runs, run.prompt_pack) == ("completed", 4, "reasoning")
    assert run.results.count() == 4
    assert out.splitlines()[2].split()[:3] == ["fast", "4/4", "0"]
    assert "4 of 4 requests" in err
    assert "<svg" in (tmp_path / "report.html").read_text()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("channel_layer")
def test_a_breached_condition_is_exit_code_three(simulator: Simulator) -> None:
    make_simulated_llm(simulator)

    with pytest.raises(CommandError, match=r"ttft_p50>0\.001: it is") as caught:
        benchmark(FAST, runs=2, fail_if=["ttft_p50>0.001", "errors>0"])

    assert caught.value.returncode == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("channel_layer")
def test_the_statistics_are_printed_as_json(simulator: Simulator) -> None:
    make_simulated_llm(simulator)

    out, _ = benchmark(FAST, runs=2, json=True, fail_if=["ttft_p50>60000"])

    assert json.loads(out)["statistics"]["n"] == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("models", "options", "sentence"),
    [
        (["nobody"], {}, "There is no model 'nobody'."),
        (["twin"], {}, "'twin' is the name of several models: Account/a, Account/b."),
        (["one"], {"runs": 0}, "num_runs: Ensure this value is greater"),
        (["one"], {"pack": "nope"}, "prompt_pack: Must be one of"),
        (["one"], {"slo": "{"}, "--slo is no JSON"),
        (["one"], {"slo": '{"x": 1}'}, "slo.x: There is no such field"),
        (["one"], {"fail_if": ["speed>1"]}, "there is no such figure"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_stored(
    models: list[str], options: dict[str, Any], sentence: str
) -> None:
    make_llm(upstream_id="one")
    for name in ("a", "b"):
        make_llm(upstream_id=name, custom_name="twin")

    with pytest.raises(CommandError) as caught:
        benchmark(*models, **options)

    assert sentence in str(caught.value)
    assert not BenchmarkRun.objects.exists()


MODEL: dict[str, Any] = {
    "ttft_ms": {"p50": 800.0, "p95": None},
    "n_failed": 1,
    "success": {"rate": 0.9},
    "goodput": {"attainment": {"rate": 0.5}},
    "cost": {"total_usd": None},
}


@pytest.mark.parametrize(
    ("text", "breach"),
    [
        ("ttft_p50>800", None),
        ("ttft_p50>=800", "ttft_p50>=800: it is 800"),
        (" ttft_p50 > 799.5 ", "ttft_p50 > 799.5: it is 800"),
        ("ttft_p95>9999", "ttft_p95>9999: unknown"),
        ("ttft_p77>1", "ttft_p77>1: p77 of ttft is not computed"),
        ("errors>0", "errors>0: it is 1"),
        ("errors>1", None),
        ("error_rate>0.05", "error_rate>0.05: it is 0.1"),
        ("goodput<0.9", "goodput<0.9: it is 0.5"),
        ("cost>1", "cost>1: unknown"),
    ],
)
def test_a_condition_is_judged_on_the_statistics_of_a_model(text: str, breach: str | None) -> None:
    assert Gate.of(text).breach(MODEL) == breach


@pytest.mark.parametrize(
    "text", ["", "ttft", "ttft>5", "ttft_p50=5", "errors_p50>1", "x>1", "ttft_p50>-1"]
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(BadGate):
        Gate.of(text)


@pytest.mark.django_db
def test_a_terminal_is_redrawn_in_place_and_a_log_gets_lines() -> None:
    llm = make_llm(custom_name="a name that is much longer than its column is wide")
    run = make_run(llm, num_runs=2)
    terminal, log = Terminal(), io.StringIO()
    boards = [Board(run.llm_names(), 2, out) for out in (terminal, log)]
    for board in boards:
        board.draw(0.0)
        board.add([make_good(run, llm, iteration=len(boards), ordinal=board is boards[0])])
        board.draw(1.0)
        run.results.all().delete()
        board.add([make_bad(run, llm)])
        board.draw(2.0)
        run.results.all().delete()

    assert terminal.getvalue().count("\x1b[4A\x1b[J") == 2
    assert "1 of 2 requests, 1 s, about 1 s left" in terminal.getvalue()
    assert log.getvalue().splitlines() == [
        "1 of 2 requests, 1 s, about 1 s left",
        "2 of 2 requests, 2 s",
    ]
