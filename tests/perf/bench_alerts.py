"""Alerts under load: how long a round is judged, how few messages a storm is, how soon one leaves.

`evaluation`: 1,000 models at 20 providers, judged by 100 rules of all four types, on SQLite.
`latency`: the whole server (`manage.py up`); one model of each provider fails in a round that
another model of it keeps open; from the commit of the failing check to the request at the receiver.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitoring.models import Round

PROVIDERS, MODELS, CHANNELS = 20, 1000, 3
TRIALS = 60
RECEIVED_WITHIN_S = 20.0


def evaluation(data_dir: str) -> None:
    prepare(data_dir)
    from tests.alerts.storing import make_channel, make_fleet

    llms = make_fleet(PROVIDERS, MODELS // PROVIDERS)
    make_rules(llms)
    for number in range(CHANNELS):
        make_channel(name=f"Channel {number}", config={"url": "http://127.0.0.1:9/in"})
    make_history(llms)
    print(f"{MODELS} models at {PROVIDERS} providers, 100 rules, {CHANNELS} channels, SQLite")
    for name, status in (
        ("all up", "up"),
        ("all go down", "down"),
        ("all stay down", "down"),
        ("all come back", "up"),
    ):
        judge_round(name, status, llms)
    messages_of_the_storm()


def prepare(data_dir: str) -> None:
    os.environ |= {"ARGUSLM_DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "arguslm.settings"}
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def make_rules(llms: list[Any]) -> None:
    from alerts.models import AlertRule

    kind = AlertRule.Type
    AlertRule.objects.create(name="any", rule_type=kind.ANY_MODEL_DOWN)
    for number in range(5):
        AlertRule.objects.create(name=f"pace {number}", rule_type=kind.PERFORMANCE_DEGRADATION)
    for llm in llms[:74]:
        AlertRule.objects.create(
            name=f"one {llm.upstream_id}", rule_type=kind.SPECIFIC_MODEL_DOWN, target_llm=llm
        )
    for llm in llms[-20:]:
        AlertRule.objects.create(
            name=f"everywhere {llm.upstream_id}",
            rule_type=kind.MODEL_UNAVAILABLE_EVERYWHERE,
            target_model_name=llm.upstream_id,
        )


def make_history(llms: list[Any]) -> None:
    """Twenty rounds of samples and the baselines of a running installation."""
    from django.utils import timezone

    from alerts.models import PerformanceBaseline, RoundEvaluation
    from alerts.thresholds import Metric
    from tests.alerts.storing import end, open_round, record

    now = timezone.now()
    for age in range(20, 0, -1):
        round = open_round(*llms[:1])
        record(round, llms, "up", at=now - timedelta(minutes=15 * age), tps=50.0)
        end(round)
        RoundEvaluation.objects.create(round=round, is_final=True)
    usual = {Metric.TTFT: 100.0, Metric.LATENCY: 300.0, Metric.TPS: 20.0}
    PerformanceBaseline.objects.bulk_create(
        PerformanceBaseline(
            llm=llm,
            prompt_pack="health_check",
            metric=metric.value,
            days=14,
            median=median,
            spread=5.0,
            n=1344,
            computed_at=now,
        )
        for llm in llms
        for metric, median in usual.items()
    )


def judge_round(name: str, status: str, llms: list[Any]) -> None:
    from django.db import connection

    from alerts import announcements, delivery
    from alerts.evaluation import evaluate_round
    from alerts.models import Delivery
    from tests.alerts.storing import end, open_round, record

    # There is no broker here: nobody is called.
    setattr(delivery, "call_out", list)  # noqa: B010
    setattr(announcements, "announce", list)  # noqa: B010
    round = open_round(*llms)
    record(round, llms, status, tps=50.0)
    end(round)
    before = Delivery.objects.count()
    asked: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        began, worked = time.perf_counter(), time.process_time()
        evaluate_round(round.pk)
        took, cpu = time.perf_counter() - began, time.process_time() - worked
    sent = Delivery.objects.count() - before
    print(
        f"  {name:<14} {took:5.2f} s (CPU {cpu:.2f} s), {len(asked):3d} queries, {sent} deliveries"
    )


def messages_of_the_storm() -> None:
    from django.db.models import Count

    from alerts.models import Delivery

    rows = Delivery.objects.order_by().values("channel_name", "message__topic")
    counts = sorted({row["n"] for row in rows.annotate(n=Count("pk"))})
    print(f"  messages per channel for {MODELS} models down: {counts} (allowed {PROVIDERS + 1})")


def latency(data_dir: str) -> None:
    from tests.embedded.house import running_house

    directory = Path(data_dir)
    with running_house(directory):
        prepare(data_dir)
        found = sorted(trials())
    p50, p99 = found[len(found) // 2], found[min(len(found) - 1, int(0.99 * len(found)))]
    print(f"recorded failing check to first delivery attempt, round still open, n={len(found)}:")
    print(f"  p50 {p50:.2f} s, p99 {p99:.2f} s, worst {found[-1]:.2f} s (allowed: p99 < 5 s)")


def trials() -> list[float]:
    from django.db import transaction

    from tests.alerts.receivers import receiving
    from tests.alerts.storing import make_channel, make_fleet, open_round, record
    from tests.make import make_rule

    llms = make_fleet(TRIALS, 2)
    make_rule(name="any")
    found: list[float] = []
    with receiving() as receiver:
        make_channel(config={"url": receiver.url})
        with transaction.atomic():
            round = open_round(*llms)
            hold_open(round)
        for number in range(TRIALS):
            time.sleep(random.uniform(0.0, 1.5))
            hold_open(round)
            before = len(receiver.got)
            record(round, llms[2 * number : 2 * number + 1])
            began = time.perf_counter()
            while len(receiver.got) == before:
                if time.perf_counter() - began > RECEIVED_WITHIN_S:
                    raise SystemExit("No message came.")
                time.sleep(0.005)
            found.append(time.perf_counter() - began)
    return found


def hold_open(round: Round) -> None:
    """As if a worker were probing each account: nobody else takes the shares."""
    from django.utils import timezone

    from arguslm.api.leases import LEASE, TOO_FAR
    from monitoring.models import RoundShare

    later = timezone.now() + LEASE + TOO_FAR / 2
    shares = RoundShare.objects.filter(round=round)
    shares.update(status=RoundShare.Status.RUNNING, lease_expires_at=later)


PARTS = {"evaluation": evaluation, "latency": latency}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS)
    part = parser.parse_args().part
    if part is None:
        for name in PARTS:
            subprocess.run([sys.executable, __file__, name], check=True, env=os.environ)
        return
    with tempfile.TemporaryDirectory() as directory:
        PARTS[part](directory)


if __name__ == "__main__":
    main()
