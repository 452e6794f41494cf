"""What bench_monitoring measures, each part in a process of its own that has Django set up."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

MODEL = "sim:ttft=200,gap=20,tokens=30"


def rounds(options: argparse.Namespace) -> None:
    """One round each of growing size, by the code that workers run, with the default settings."""
    from django.utils import timezone

    from monitoring import rounds as monitoring_rounds
    from monitoring import shares
    from monitoring.models import Round
    from monitoring.rollups import roll_up_waiting
    from providers.adapters import warm_up
    from providers.loop import engine_loop

    engine_loop().run(warm_up(engine_loop().clients), timeout_s=60)
    print("  LLMs   wall s  probes/s  CPU ms/probe  ratio  missing  fold CPU ms/check  ratio")
    first: tuple[float, float] | None = None
    for size in options.sizes:
        _seed(options.simulator, size, options.of_account)
        opened, _ = monitoring_rounds.open_manual(timezone.now())
        wall, cpu = time.perf_counter(), time.process_time()
        shares.work_on(*opened.shares.values_list("pk", flat=True))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        done = Round.objects.get(pk=opened.pk).checks.exclude(status="down").count()
        fold = time.process_time()
        roll_up_waiting(600)
        fold = time.process_time() - fold
        first = first or (cpu / size, fold / size)
        print(
            f"{size:6,} {wall:8.1f} {size / wall:9.0f} {1000 * cpu / size:13.2f} "
            f"{cpu / size / first[0]:6.2f} {size - done:8} {1000 * fold / size:18.2f} "
            f"{fold / size / first[1]:6.2f}",
            flush=True,
        )
        if size >= 10_000:
            print(f"  {size:,} LLMs in under 5 minutes: {verdict(wall, 300)}")


def seed(options: argparse.Namespace) -> None:
    from django.core.management import call_command

    from monitoring.models import MonitoringConfig

    call_command("migrate", verbosity=0)
    MonitoringConfig.load()
    MonitoringConfig.objects.update(interval_minutes=1, next_due_at=None)
    _seed(options.simulator, options.llms, options.of_account)


def schedule(options: argparse.Namespace) -> None:
    """Reads what a whole server has recorded: lag of each probe behind its own time."""
    from monitoring.models import MonitoringConfig, Round
    from monitoring.works import _timing

    config = MonitoringConfig.load()
    ended = list(Round.objects.filter(status="completed", trigger="schedule").order_by("due_at"))
    lags: list[float] = []
    late: list[float] = []
    for past in ended:
        timing = _timing(past, config, past.created_at)
        for llm_id, at in past.checks.values_list("llm", "created_at"):
            offset_s = (timing.start_ns(llm_id) - timing.from_ns) / 1e9
            late.append((at - past.due_at).total_seconds())
            lags.append(late[-1] - offset_s)
    gaps = [(b.due_at - a.due_at).total_seconds() for a, b in pairwise(ended)]
    missed = sum(past.planned for past in ended) - len(lags)
    waits = [past.overlapping for past in ended]
    skipped = sum(round(gap / 60) - 1 for gap in gaps)
    print(
        f"  {len(ended)} rounds of {options.llms:,} LLMs each minute: schedule lag p50 "
        f"{_at(lags, 0.5):.2f} s, p99 {_at(lags, 0.99):.2f} s, most {max(lags):.2f} s "
        f"(from the slot itself p99 {_at(late, 0.99):.2f} s); missed rounds "
        f"{skipped}, missed checks {missed}, sat out {sum(waits)}"
    )
    print(f"  lag p99 under 5 s: {verdict(_at(lags, 0.99), 5)}; none missed: {verdict(skipped, 0)}")


def fill(options: argparse.Namespace) -> None:
    from django.core.management import call_command

    from tests.perf.past import make_past, now, told

    call_command("migrate", verbosity=0)
    start = time.monotonic()
    make_past(options.rows, options.llms, now())
    print(f"  filled: {told(start)}")


def reading(options: argparse.Namespace) -> None:
    """The API through Django's whole stack, without a socket: client and server are one process."""
    from rest_framework.test import APIClient

    from models_app.models import LLM
    from monitoring.models import UptimeCheck

    api = APIClient(HTTP_HOST="localhost", REMOTE_ADDR="127.0.0.1")
    base = "/api/v1/monitoring"
    ids = [str(pk) for pk in LLM.objects.order_by("id").values_list("pk", flat=True)[:50]]
    total = api.get(f"{base}/uptime?limit=1").json()["total"]
    week = _stamp(timedelta(days=7))
    asked = {
        "uptime list": f"{base}/uptime",
        "at half of it": f"{base}/uptime?offset={total // 2}",
        "at 90 %": f"{base}/uptime?offset={total * 9 // 10}",
        "of one model": f"{base}/uptime?model_id=%s",
        "down": f"{base}/uptime?status=down",
        "since 3 days": f"{base}/uptime?since={_stamp(timedelta(days=3, minutes=17))}",
        "enabled only": f"{base}/uptime?enabled_only=true",
        "summary": f"{base}/summary",
        "timeseries 24 h": f"{base}/timeseries?model_id=%s",
        "timeseries 7 d": f"{base}/timeseries?model_id=%s&since={week}",
        "by day 30 d": f"{base}/timeseries?model_id=%s&bucket=day",
        "runs": f"{base}/runs",
        "/metrics": "/metrics",
    }
    counting = time.perf_counter()
    assert UptimeCheck.objects.count() == total
    counting = 1000 * (time.perf_counter() - counting)
    print(f"  {total:,} checks, to count them all {counting:,.0f} ms (the ratio's reference)")
    print("  ms                   p50     p95     CPU   ratio of p50")
    for name, url in asked.items():
        walls, cpus = _ask(api, url, ids, options.requests)
        p50, p95 = _at(walls, 0.5), _at(walls, 0.95)
        limit = "" if name == "/metrics" else f"  under 100 ms: {verdict(p95, 100)}"
        print(
            f"  {name:16} {p50:7.1f} {p95:7.1f} {statistics.median(cpus):7.1f} "
            f"{p50 / counting:8.4f}{limit}",
            flush=True,
        )


def export(options: argparse.Namespace) -> None:
    from monitoring.counting import Matching
    from monitoring.exports import BLOCKS

    blocks, rows = BLOCKS[options.kind](Matching().rows()), 0
    start, cpu, size = time.perf_counter(), time.process_time(), 0
    for block in blocks:
        size += len(block)
        rows += block.count(b'"model_name"') if options.kind == "json" else block.count(b"\n")
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  export {options.kind}: {rows:,} rows, {size >> 20:,} MB, {rows / wall:,.0f} rows/s, "
        f"{rows / cpu:,.0f} rows per CPU second, {peak:.0f} MB at most"
    )
    plain = _plain_rows_per_s(min(rows, 100_000))
    print(
        f"  at least 50,000 rows/s: {verdict(50_000, rows / wall)}; at most 200 MB: "
        f"{verdict(peak, 200)}; Django's own iterator {plain:,.0f} rows/s, "
        f"ratio {rows / wall / plain:.1f}"
    )


def _plain_rows_per_s(number: int) -> float:
    """What a plain loop over the same columns would give."""
    from monitoring.models import UptimeCheck

    start = time.perf_counter()
    rows = UptimeCheck.objects.select_related("llm__account").order_by("-created_at", "-id")
    for check in rows[:number].iterator():
        json.dumps([str(value) for value in vars(check).values()])
    return number / (time.perf_counter() - start)


INSIDE: dict[str, Callable[[argparse.Namespace], None]] = {
    "rounds": rounds,
    "seed": seed,
    "schedule": schedule,
    "fill": fill,
    "reading": reading,
    "export": export,
}


def _seed(simulator: str, number: int, of_account: int) -> None:
    """Exactly `number` monitored LLMs, so many of each account."""
    from models_app.models import LLM
    from providers.models import ProviderAccount

    ProviderAccount.objects.all().delete()
    accounts = [
        ProviderAccount(provider_type="lm_studio", display_name=f"Account {place}")
        for place in range(-(-number // of_account))
    ]
    for account in accounts:
        account.seal({"base_url": f"{simulator}/v1"})
    ProviderAccount.objects.bulk_create(accounts)
    LLM.objects.bulk_create(
        LLM(
            account=accounts[place // of_account],
            upstream_id=f"{MODEL},seed={place}",
            enabled_for_monitoring=True,
        )
        for place in range(number)
    )


def _ask(api: Any, url: str, ids: list[str], requests: int) -> tuple[list[float], list[float]]:
    walls, cpus = [], []
    for number in range(requests + 2):
        start, cpu = time.perf_counter(), time.process_time()
        answer = api.get(url.replace("%s", ids[number % len(ids)]))
        assert answer.status_code == 200, answer.content[:300]
        walls.append(1000 * (time.perf_counter() - start))
        cpus.append(1000 * (time.process_time() - cpu))
    return walls[2:], cpus[2:]


def verdict(value: float, limit: float) -> str:
    return "reached" if value <= limit else "MISSED"


def _stamp(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(values: list[float], p: float) -> float:
    from providers.statistics.quantiles import quantile

    return quantile(values, p)
