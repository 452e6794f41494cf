from __future__ import annotations

import gc
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from benchmarks.gates import BadGate, Gate
from benchmarks.management.commands import benchmark as command
from benchmarks.manifests import manifest_of
from benchmarks.models import BenchmarkRun
from benchmarks.terminal import Board
from models_app.prompts import PROMPT_PACKS
from providers.adapters import warm_up
from providers.simulator import Simulator
from tests.benchmarks.wire import FAST, make_bad, make_good, make_simulated_llm
from tests.embedded.house import wait_until
from tests.make import make_llm, make_run


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """The command makes its process fit to measure, which this one need not stay."""
    before = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(before[0])
    gc.set_threshold(*before[1])
    gc.unfreeze()


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("channel_layer")
def test_nothing_lies_about_for_a_worker_while_the_process_warms_up(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_simulated_llm(simulator)
    stored: list[int] = []

    def noted(*args: Any) -> Any:
        stored.append(BenchmarkRun.objects.count())
        return warm_up(*args)

    monkeypatch.setattr(command, "warm_up", noted)
    benchmark(FAST, runs=1)

    assert stored == [0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("channel_layer")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_cancelled_and_told(simulator: Simulator, number: int) -> None:
    name = f"sim:ttft=20000,gap=1,tokens=5,seed={number}"
    make_simulated_llm(simulator, name)

    def interrupt() -> None:
        wait_until(lambda: any(record.model == name for record in simulator.log), 30)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with pytest.raises(CommandError, match="Cancelled") as caught:
        benchmark(name, runs=3)

    assert caught.value.returncode == 130
    assert BenchmarkRun.objects.get().is_cancelled


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("channel_layer")
def test_a_manifest_orders_the_run_again_where_its_models_have_other_ids(
    simulator: Simulator, tmp_path: Path
) -> None:
    llm = make_simulated_llm(simulator)
    prompt = PROMPT_PACKS["reasoning"].prompt
    old = make_run(llm, num_runs=2, seed=7, prompt=prompt, prompt_pack="reasoning", max_tokens=9)
    manifest = manifest_of(old)
    manifest["models"][0]["id"] = str(UUID(int=7))
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    old.delete()

    benchmark(manifest=tmp_path / "run.json", runs=1)

    run = BenchmarkRun.objects.get()
    assert (run.llm_ids, run.seed, run.prompt_pack, run.max_tokens) == ([llm.pk], 7, "reasoning", 9)
    assert run.num_runs == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("channel_layer")
def test_a_pipeline_fails_when_a_model_is_slower_than_in_earlier_runs(simulator: Simulator) -> None:
    llm = make_simulated_llm(simulator, "sim:ttft=60,gap=1,tokens=6")
    prompt = PROMPT_PACKS["health_check"].prompt
    before = make_run(llm, prompt=prompt, status="completed")
    for n in range(10):
        make_good(before, llm, ttft_ms=1.0 + n / 100, iteration=n + 1)

    with pytest.raises(CommandError, match="ttft_ms is slower") as caught:
        benchmark(str(llm.pk), runs=8, baseline=str(before.pk), fail_if=["slower"])

    assert caught.value.returncode == 3


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
        (["one"], {"fail_if": ["goodput<0.9"]}, "'goodput' needs objectives"),
        (["one"], {"fail_if": ["slower"]}, "'slower' needs earlier runs"),
        (["one"], {"baseline": str(UUID(int=7))}, "baseline: No such run"),
        (["one"], {"html": Path("/no/such/place/report.html")}, "There is no directory"),
        ([], {}, "Name the models, or a manifest."),
        ([], {"manifest": Path("/no/such/manifest.json")}, "cannot be read"),
        ([], {"manifest": Path(__file__)}, "is no manifest of a benchmark"),
        (["one"], {"html": Path("/tmp")}, "/tmp is a directory"),
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


@pytest.mark.django_db
@pytest.mark.parametrize(
    "model", [5, {"id": 5, "upstream_id": "one"}, {"id": "x", "upstream_id": None}], ids=str
)
def test_a_manifest_of_wrong_types_is_none(model: Any, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"request": {}, "models": [model]}))

    with pytest.raises(CommandError, match="is no manifest of a benchmark"):
        benchmark(manifest=tmp_path / "run.json")


@pytest.mark.django_db(transaction=True)
def test_a_run_that_another_process_took_over_is_not_called_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    llm = make_llm()
    monkeypatch.setattr("benchmarks.execution.execute", lambda claimed: None)

    with pytest.raises(CommandError, match="took the run over") as caught:
        benchmark(str(llm.pk))

    assert caught.value.returncode == 1


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
        ("errors>0", "errors>0: it is 1"),
        ("errors>1", None),
        ("error_rate>0.05", "error_rate>0.05: it is 0.1"),
        ("goodput<0.9", "goodput<0.9: it is 0.5"),
        ("cost>1", "cost>1: unknown"),
    ],
)
def test_a_condition_is_judged_on_the_statistics_of_a_model(text: str, breach: str | None) -> None:
    assert Gate.of(text).breach(MODEL) == breach


def test_a_condition_on_a_percentile_beyond_the_data_is_doubted() -> None:
    model = {"ttft_ms": {"n": 10, "reliable": {"p50": True, "p95": False}}}

    assert Gate.of("ttft_p50>800").doubt(model) is None
    assert Gate.of("errors>0").doubt(model) is None
    assert Gate.of("ttft_p95>800").doubt(model) == ("ttft_p95>800: of 10 values no p95 is reliable")


@pytest.mark.parametrize(
    "text",
    ["", "ttft", "ttft>5", "ttft_p50=5", "errors_p50>1", "x>1", "ttft_p50>-1", "ttft_p77>1"],
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
    good = make_good(run, llm)
    bad = make_bad(run, llm)
    for board in boards:
        board.draw(0.0)
        board.add([good])
        board.draw(1.0)
        board.add([bad])
        board.draw(2.0)

    assert terminal.getvalue().count("\x1b[4A\x1b[J") == 2
    assert "1 of 2 requests, 1 s, about 1 s left" in terminal.getvalue()
    assert log.getvalue().splitlines() == [
        "1 of 2 requests, 1 s, about 1 s left",
        "2 of 2 requests, 2 s",
    ]


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 8), (200, 100)])
def test_a_table_stays_inside_its_terminal(columns: int, lines: int) -> None:
    terminal = Terminal()
    names = {UUID(int=n): f"account/a-model-with-quite-a-long-name-{n}" for n in range(30)}
    board = Board(names, 2, terminal, lambda: os.terminal_size((columns, lines)))

    board.draw(1.0)

    drawn = terminal.getvalue().removeprefix("\x1b[J").splitlines()
    assert len(drawn) < lines
    assert max(map(len, drawn)) < columns
    assert drawn[-1].startswith("0 of 60 requests")
    assert any("more" in line for line in drawn) == (lines < 34)
    board.finish()
    assert "-long-name-29 " in terminal.getvalue().splitlines()[-1]
