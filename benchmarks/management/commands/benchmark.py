from __future__ import annotations

import json
import logging
import threading
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.models import Q
from rest_framework.exceptions import ValidationError

from arguslm.api.errors import body_of
from benchmarks import archive, execution
from benchmarks.gates import BadGate, Gate
from benchmarks.inputs import BenchmarkInput
from benchmarks.models import BenchmarkRun, RunEnded
from benchmarks.reports import report_of
from benchmarks.terminal import Board
from models_app.models import LLM
from providers.adapters import warm_up
from providers.loop import engine_loop

LOOK_S = 0.2
FAILED_GATE = 3


class Command(BaseCommand):
    help = "Run a benchmark here and now; the server sees it and its result like any other run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("models", nargs="+", metavar="MODEL", help="id, name or provider/name")
        parser.add_argument("--pack", default="health_check", help="prompt pack")
        parser.add_argument("--runs", type=int, default=3, help="requests to each model")
        parser.add_argument("--max-tokens", type=int, default=200)
        parser.add_argument("--concurrency", type=int, default=1, help="per model")
        parser.add_argument("--rate", type=float, help="open loop: requests per second and model")
        parser.add_argument("--arrivals", default="poisson", help="poisson or constant")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--keep-cache", action="store_true", help="no mark in the prompts")
        parser.add_argument("--time-limit", type=int, metavar="S", help="for the whole run")
        parser.add_argument("--slo", default="{}", help='JSON, e.g. {"ttft_ms": 500}')
        parser.add_argument("--name", default="")
        parser.add_argument("--html", type=Path, help="write the report here")
        parser.add_argument("--json", action="store_true", help="print the statistics as JSON")
        parser.add_argument(
            "--fail-if",
            action="append",
            default=[],
            metavar="CONDITION",
            help=f"e.g. 'ttft_p50>800' or 'errors>0': exit code {FAILED_GATE} if it holds",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        gates = _gates(options["fail_if"])
        run = _ordered(options)
        # Every line of a log would tear the table, and a broker is not needed here.
        for name in ("benchmarks", "arguslm.api.work", "kombu"):
            logging.getLogger(name).setLevel(logging.ERROR)
        # The wrapper ends every text with a line break, which a table in place cannot use.
        terminal: Any = self.stderr
        board = Board(run.llm_names(), run.num_runs, terminal._out)
        _carry(run, board)
        run.refresh_from_db()
        self._tell(run, board, options)
        if run.status != BenchmarkRun.Status.COMPLETED:
            raise CommandError(f"The run failed: {run.failure_reason}")
        self._judge(run, gates)

    def _tell(self, run: BenchmarkRun, board: Board, options: dict[str, Any]) -> None:
        if options["html"] is not None:
            options["html"].write_text(report_of(run), encoding="utf-8")
        if options["json"]:
            found = archive.statistics(run, run.results.count())
            self.stdout.write(json.dumps({"id": str(run.pk), "statistics": found}, indent=2))
        elif not board.is_live:
            self.stdout.write("\n".join(board.table()))
        self.stderr.write(f"Run {run.pk}: {run.status}.")

    def _judge(self, run: BenchmarkRun, gates: Sequence[Gate]) -> None:
        models = archive.statistics(run, run.results.count())["per_model"]
        found = [(m["model_name"], gate.breach(m)) for gate in gates for m in models]
        breaches = [f"{name}: {breach}" for name, breach in found if breach]
        if breaches:
            raise CommandError("\n".join(breaches), returncode=FAILED_GATE)


def _gates(texts: Sequence[str]) -> list[Gate]:
    try:
        return [Gate.of(text) for text in texts]
    except BadGate as exc:
        raise CommandError(str(exc)) from exc


def _ordered(options: dict[str, Any]) -> BenchmarkRun:
    try:
        slo = json.loads(options["slo"])
    except ValueError as exc:
        raise CommandError(f"--slo is no JSON: {exc}") from exc
    body = {
        "model_ids": [str(_model(text).pk) for text in options["models"]],
        "prompt_pack": options["pack"],
        "max_tokens": options["max_tokens"],
        "num_runs": options["runs"],
        "concurrency_per_llm": options["concurrency"],
        "request_rate": options["rate"],
        "arrivals": options["arrivals"],
        "cache_busting": not options["keep_cache"],
        "run_time_limit_s": options["time_limit"],
        "slo": slo,
        "name": options["name"] or "From the terminal",
        **({} if options["seed"] is None else {"seed": options["seed"]}),
    }
    reader = BenchmarkInput(data=body)
    try:
        reader.is_valid(raise_exception=True)
    except ValidationError as exc:
        raise CommandError(body_of(exc)["detail"]) from exc
    llms = reader.validated_data.pop("model_ids")
    return BenchmarkRun.order(llms, **reader.validated_data)


def _model(text: str) -> LLM:
    """By id, by name, or by `account/name` when several accounts have one of that name."""
    account, _, name = text.partition("/")
    named = Q(upstream_id__iexact=text) | Q(custom_name__iexact=text)
    qualified = Q(account__display_name__iexact=account) & (
        Q(upstream_id__iexact=name) | Q(custom_name__iexact=name)
    )
    rows = LLM.objects.select_related("account").filter(named | qualified)
    found = list(rows) or [llm for llm in LLM.objects.all() if str(llm.pk) == text.lower()]
    if not found:
        raise CommandError(f"There is no model {text!r}.")
    if len(found) > 1:
        ways = ", ".join(f"{llm.account.display_name}/{llm.upstream_id}" for llm in found)
        raise CommandError(f"{text!r} is the name of several models: {ways}.")
    return found[0]


def _carry(run: BenchmarkRun, board: Board) -> None:
    """Executes the run on a thread of its own and shows its rows as they come."""
    # The first exchange of a fresh process is slow: it is one with ourselves.
    engine_loop().run(warm_up(engine_loop().clients), timeout_s=30)
    claimed = BenchmarkRun.claim(run.pk)
    if claimed is None:
        raise CommandError("A worker took the run: watch it there.")
    working = threading.Thread(target=_work, args=(claimed,), name="benchmark")
    began, seen = time.monotonic(), 0
    working.start()
    try:
        while working.is_alive():
            working.join(LOOK_S)
            seen = _show(run, board, seen, time.monotonic() - began)
    except KeyboardInterrupt:
        _cancel(run)
        working.join()
        raise


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
