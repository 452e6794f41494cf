from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from arguslm.celery import SWITCH_INTERVAL_S
from benchmarks import archive, execution, orders
from benchmarks.comparisons import METRICS, Question, across, judged
from benchmarks.gates import SLOWER, BadGate, Gate
from benchmarks.models import BenchmarkRun, RunEnded
from benchmarks.orders import BadOrder
from benchmarks.reports import report_of
from benchmarks.terminal import Board
from models_app.calibration import error_bars
from providers.adapters import warm_up
from providers.loop import engine_loop, settle_memory
from providers.statistics.comparison import VerdictState

LOOK_S = 0.2
FAILED_GATE = 3
INTERRUPTED = 130
# Options that are fields of an order; what is not given is as in POST /benchmarks.
FIELDS = {
    "pack": "prompt_pack",
    "runs": "num_runs",
    "max_tokens": "max_tokens",
    "concurrency": "concurrency_per_llm",
    "rate": "request_rate",
    "arrivals": "arrivals",
    "seed": "seed",
    "model_time_limit": "model_time_limit_s",
    "time_limit": "run_time_limit_s",
    "name": "name",
}

T = TypeVar("T")


class Command(BaseCommand):
    help = (
        "Run a benchmark here and now; the server sees it and its result like any other run. "
        f"Exit code 0: done; {FAILED_GATE}: a condition of --fail-if holds or its figure is "
        f"unknown; 1: it could not be run, or failed; {INTERRUPTED}: interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("models", nargs="*", metavar="MODEL", help="id, name or provider/name")
        parser.add_argument("--manifest", type=Path, help="order what this manifest says")
        parser.add_argument("--pack", help="prompt pack (health_check)")
        parser.add_argument("--runs", type=int, help="requests to each model (3)")
        parser.add_argument("--max-tokens", type=int, help="longest answer (200)")
        parser.add_argument("--concurrency", type=int, help="per model (1)")
        parser.add_argument("--rate", type=float, help="open loop: requests per second and model")
        parser.add_argument("--arrivals", help="poisson (so without it) or constant")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--keep-cache", action="store_true", help="no mark in the prompts")
        parser.add_argument("--model-time-limit", type=int, metavar="S", help="for each model")
        parser.add_argument("--time-limit", type=int, metavar="S", help="for the whole run")
        parser.add_argument("--slo", help='JSON, e.g. {"ttft_ms": 500} or {"preset": "…"}')
        parser.add_argument("--name")
        parser.add_argument("--html", type=Path, help="write the report here")
        parser.add_argument("--json", action="store_true", help="print the statistics as JSON")
        parser.add_argument("--baseline", default="", help="ids of earlier runs, with commas")
        parser.add_argument(
            "--fail-if",
            action="append",
            default=[],
            metavar="CONDITION",
            help=f"'ttft_p50>800', 'errors>0', or '{SLOWER}' than --baseline",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked = _or_error(lambda: orders.checked(_given(options)))
        earlier = _or_error(lambda: orders.baseline_of(options["baseline"]))
        gates = _or_error(lambda: [Gate.of(text) for text in options["fail_if"] if text != SLOWER])
        self._check(options, asked, gates)
        # Every line of a log would tear the table, and a broker is not needed here.
        for name in ("benchmarks", "arguslm.api.work", "kombu"):
            logging.getLogger(name).setLevel(logging.ERROR)
        # The order comes after it, since a worker takes what lies about for some seconds.
        _get_ready()
        run = BenchmarkRun.order(asked.pop("model_ids"), **asked)
        # The wrapper ends every text with a line break, which a table in place cannot use.
        terminal: Any = self.stderr
        board = Board(run.llm_names(), run.num_runs, terminal._out)
        _carry(run, board)
        run.refresh_from_db()
        self._tell(run, board, options)
        if run.is_open:
            raise CommandError(f"Another process took the run over: watch {run.pk} there.")
        if run.status != BenchmarkRun.Status.COMPLETED:
            raise CommandError(f"The run failed: {run.failure_reason}")
        slower = _slower_than(run, earlier) if SLOWER in options["fail_if"] else []
        self._judge(run, gates, slower)

    def _check(self, options: dict[str, Any], asked: dict[str, Any], gates: Sequence[Gate]) -> None:
        """What would only be found out after the run."""
        if SLOWER in options["fail_if"] and not options["baseline"]:
            raise CommandError(f"'{SLOWER}' needs earlier runs: give them as --baseline.")
        if any(gate.name == "goodput" for gate in gates) and not asked["slo"]:
            raise CommandError("'goodput' needs objectives: give them as --slo.")
        html: Path | None = options["html"]
        if html is not None and not html.parent.is_dir():
            raise CommandError(f"There is no directory {html.parent} for the report.")
        if html is not None and html.is_dir():
            raise CommandError(f"{html} is a directory: name a file for the report.")

    def _tell(self, run: BenchmarkRun, board: Board, options: dict[str, Any]) -> None:
        if options["html"] is not None:
            options["html"].write_text(report_of(run), encoding="utf-8")
        board.finish()
        if options["json"]:
            found = archive.statistics(run, run.results.count())
            self.stdout.write(json.dumps({"id": str(run.pk), "statistics": found}, indent=2))
        elif not board.is_live:
            self.stdout.write("\n".join(board.table()))
        # Told beside the output that a pipeline reads, and not as an error.
        self.stderr.write(f"Run {run.pk}: {run.status}.", self.style.SUCCESS)

    def _judge(self, run: BenchmarkRun, gates: Sequence[Gate], slower: Sequence[str]) -> None:
        models = archive.statistics(run, run.results.count())["per_model"]
        pairs = [(gate, model) for gate in gates for model in models]
        for gate, model in pairs:
            if doubt := gate.doubt(model):
                self.stderr.write(f"{model['model_name']}: {doubt}.", self.style.WARNING)
        found = [(model["model_name"], gate.breach(model)) for gate, model in pairs]
        breaches = [*(f"{name}: {breach}" for name, breach in found if breach), *slower]
        if breaches:
            raise CommandError("\n".join(breaches), returncode=FAILED_GATE)


def _get_ready() -> None:
    """As a worker does before it times anybody; the first exchange is one with ourselves."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    loop = engine_loop()
    loop.run(warm_up(loop.clients), timeout_s=30)
    settle_memory()
    error_bars.refresh(loop.clients)


def _or_error(read: Callable[[], T]) -> T:
    try:
        return read()
    except (BadOrder, BadGate) as exc:
        raise CommandError(str(exc)) from exc


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given; what a manifest says comes before the defaults."""
    manifest, models = options["manifest"], options["models"]
    if not models and manifest is None:
        raise BadOrder("Name the models, or a manifest.")
    given = {} if manifest is None else orders.of_manifest(manifest)
    if models:
        given["model_ids"] = orders.ids_of(models)
    given |= {field: options[o] for o, field in FIELDS.items() if options[o] is not None}
    if options["keep_cache"]:
        given["cache_busting"] = False
    if options["slo"] is not None:
        try:
            given["slo"] = json.loads(options["slo"])
        except ValueError as exc:
            raise BadOrder(f"--slo is no JSON: {exc}") from exc
    return given


def _slower_than(run: BenchmarkRun, earlier: Sequence[BenchmarkRun]) -> list[str]:
    questions = across(run, earlier)
    return [line for metric in METRICS for line in _slower_lines(questions, metric)]


def _slower_lines(questions: Sequence[Question], metric: str) -> Iterator[str]:
    for question, judgement in zip(questions, judged(questions, metric), strict=True):
        verdict = judgement.verdict
        if verdict.state is VerdictState.SLOWER:
            yield f"{question.current.name}: {metric} is slower. {verdict.reason}"
        elif verdict.p is None:
            yield f"{question.current.name}: {metric} is not compared. {verdict.reason}"


def _carry(run: BenchmarkRun, board: Board) -> None:
    """Executes the run on a thread of its own and shows its rows as they come."""
    claimed = BenchmarkRun.claim(run.pk)
    if claimed is None:
        raise CommandError("A worker took the run: watch it there.")
    working = threading.Thread(target=_work, args=(claimed,), name="benchmark")
    began, seen = time.monotonic(), 0
    working.start()
    with _interruptions() as interrupted:
        while working.is_alive() and not interrupted.is_set():
            working.join(LOOK_S)
            seen = _show(run, board, seen, time.monotonic() - began)
        if working.is_alive():
            _cancel(run)
            working.join()
            raise CommandError(f"Cancelled: run {run.pk}.", returncode=INTERRUPTED)


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """Set by Ctrl-C, and by a pipeline that ends us with SIGTERM: both cancel the run.

    Else a worker would take it over as that of a process that has died. No KeyboardInterrupt:
    Python drops one that comes up in a callback of a library.
    """
    interrupted = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: interrupted.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(claimed: BenchmarkRun) -> None:
    try:
        execution.execute(claimed)
    finally:
        connection.close()


def _show(run: BenchmarkRun, board: Board, seen: int, elapsed_s: float) -> int:
    fresh = list(run.results.filter(ordinal__gt=seen).order_by("ordinal"))
    board.add(fresh)
    board.draw(elapsed_s)
    return seen + len(fresh)


def _cancel(run: BenchmarkRun) -> None:
    try:
        run.cancel()
    except RunEnded:
        return
