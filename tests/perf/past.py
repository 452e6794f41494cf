"""Fills a database with a long history of checks, by SQL, and their rollups."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from models_app.models import LLM
from monitoring import totals
from monitoring.histograms import Histogram
from monitoring.hours import hour_of
from monitoring.models import CheckRollup, MonitoringConfig, Recount, Round, UptimeCheck
from providers.models import ProviderAccount

STEP = timedelta(minutes=4)
ACCOUNTS = 20
ROUNDS_AT_ONCE = 200

# What differs between the two databases: a sequential identifier from a number, and a draw.
DIALECT = {
    "postgresql": {
        "id": "lpad(to_hex(%s), 32, '0')::uuid",
        "later": "r.created_at + (l.place %% 50) * interval '1 second'",
        "draw": "((l.place * 7919 + r.number * 104729) %% 1000)",
        "true": "true",
        "json": "'{}'::jsonb",
        "attempts": "'%s'::jsonb",
        "hour": "date_trunc('hour', created_at, 'UTC')",
        "day": "date_trunc('day', created_at, 'UTC')",
        "analyze": "ANALYZE",
    },
    "sqlite": {
        "id": "printf('%%032x', %s)",
        "later": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', r.created_at, '+' || (l.place %% 50)"
        " || ' seconds')",
        "draw": "((l.place * 7919 + r.number * 104729) %% 1000)",
        "true": "1",
        "json": "'[]'",
        "attempts": "'%s'",
        "hour": "strftime('%%Y-%%m-%%d %%H:00:00', created_at)",
        "day": "strftime('%%Y-%%m-%%d 00:00:00', created_at)",
        "analyze": "ANALYZE",
    },
}
ATTEMPT = (
    '[{"ok": true, "at": "2026-05-04T12:00:00.123456+00:00", "error_class": null, "error": null, '
    '"ttft_ms": 412.123, "total_latency_ms": 1832.456}]'
)


ROUND_COUNTS = "UPDATE monitoring_round SET " + ", ".join(
    f"{status} = (SELECT COUNT(*) FROM monitoring_uptimecheck c "
    f"WHERE c.round_id = monitoring_round.id AND c.status = '{status}')"
    for status in ("up", "degraded", "down")
)


def make_past(rows: int, llms: int, now: datetime) -> None:
    """`rows` checks of `llms` LLMs, a round each STEP back from `now`, folded into rollups."""
    MonitoringConfig.load()
    MonitoringConfig.objects.update(raw_days=36_500, enabled=False)
    _make_llms(llms)
    rounds = max(1, rows // llms)
    start = hour_of(now) - rounds * STEP
    _make_rounds(rounds, start)
    words = DIALECT[connection.vendor]
    with connection.cursor() as cursor:
        _number(cursor, start)
        for first in range(0, rounds, ROUNDS_AT_ONCE):
            cursor.execute(_checks_sql(words, llms, first))
        cursor.execute(ROUND_COUNTS)
        for span, name in (("h", "hour"), ("d", "day")):
            cursor.execute(_rollup_sql(words, span, words[name]))
        cursor.execute(words["analyze"])
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM (ANALYZE) monitoring_uptimecheck")
            cursor.execute("VACUUM (ANALYZE) monitoring_checkrollup")
    _fill_histograms()
    Recount.objects.create()
    totals.recount()


def _make_llms(number: int) -> None:
    accounts = [
        ProviderAccount(provider_type="lm_studio", display_name=f"Account {place}")
        for place in range(min(ACCOUNTS, number))
    ]
    for account in accounts:
        account.seal({"base_url": "http://127.0.0.1:9/v1"})
    ProviderAccount.objects.bulk_create(accounts)
    LLM.objects.bulk_create(
        LLM(
            account=accounts[place % len(accounts)],
            upstream_id=f"model-{place}",
            enabled_for_monitoring=True,
        )
        for place in range(number)
    )


def _make_rounds(number: int, start: datetime) -> None:
    Round.objects.bulk_create(
        (
            Round(
                pk=UUID(int=place + 1),
                trigger="schedule",
                status="completed",
                prompt_pack="health_check",
                max_tokens=100,
                rolled_up=True,
                due_at=start + place * STEP,
                started_at=start + place * STEP,
                finished_at=start + (place + 1) * STEP,
            )
            for place in range(number)
        ),
        batch_size=1000,
    )


def _number(cursor: object, start: datetime) -> None:
    """Small tables with a place for each LLM and a number for each round."""
    run = cursor.execute  # type: ignore[attr-defined]
    run("UPDATE monitoring_round SET created_at = due_at")
    run(
        "CREATE TEMP TABLE places AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS place "
        "FROM models_app_llm"
    )
    run(
        "CREATE TEMP TABLE numbers AS SELECT id, created_at, "
        "row_number() OVER (ORDER BY created_at) - 1 AS number FROM monitoring_round"
    )


def _checks_sql(words: dict[str, str], llms: int, first: int) -> str:
    identifier = words["id"] % f"(r.number * {llms} + l.place + 1)"
    return (
        "INSERT INTO monitoring_uptimecheck (id, round_id, llm_id, status, counts_for_uptime, "
        "attempts, prompt_pack, created_at, ttft_ms, ttfa_ms, total_latency_ms, tpot_ms, tps, "
        "tps_excluding_ttft, queue_wait_ms, response_ms, uncertainty_ms, input_tokens, "
        "output_tokens, token_source, quality_flags, estimated_cost, error_class, error) "
        f"SELECT {identifier}, r.id, l.id, "
        f"CASE WHEN {words['draw']} < 985 THEN 'up' WHEN {words['draw']} < 993 THEN 'degraded' "
        f"ELSE 'down' END, {words['true']}, {words['attempts'] % ATTEMPT}, 'health_check', "
        f"{words['later']}, 300.25 + {words['draw']}, 300.5 + {words['draw']}, "
        f"1500.125 + {words['draw']}, 20.5, 31.25, 48.75, 0.0625, 1510.5, 0.125, 17, 30, 'usage', "
        f"{words['attempts'] % '[]'}, 0.0000125, "
        f"CASE WHEN {words['draw']} >= 993 THEN 'server_error' END, "
        f"CASE WHEN {words['draw']} >= 993 THEN 'The provider answered with status 500.' END "
        f"FROM numbers r CROSS JOIN places l "
        f"WHERE r.number >= {first} AND r.number < {first + ROUNDS_AT_ONCE} "
        "ORDER BY r.number, l.place"
    ).replace("%%", "%")


def _rollup_sql(words: dict[str, str], span: str, start: str) -> str:
    counts = ", ".join(
        f"SUM(CASE WHEN status = '{status}' THEN 1 ELSE 0 END)"
        for status in ("up", "degraded", "down")
    )
    empty = "''::bytea" if connection.vendor == "postgresql" else "x''"
    return (
        "INSERT INTO monitoring_checkrollup (llm_id, span, start, up, degraded, down, "
        "excluded_degraded, excluded_down, priced, cost, ttft, latency, tps) "
        f"SELECT llm_id, '{span}', {start} AS begin, {counts}, 0, 0, COUNT(*), "
        f"SUM(estimated_cost), {empty}, {empty}, {empty} "
        "FROM monitoring_uptimecheck GROUP BY llm_id, begin"
    ).replace("%%", "%")


def _fill_histograms() -> None:
    """One histogram of the right size for all hours, and one for all days."""
    dice = random.Random(1)
    for span, samples in (("h", 15), ("d", 360)):
        histogram = Histogram()
        histogram.extend(dice.lognormvariate(6, 0.5) for _ in range(samples))
        packed = histogram.pack()
        CheckRollup.objects.filter(span=span).update(ttft=packed, latency=packed, tps=packed)


def told(start: float) -> str:
    return f"{UptimeCheck.objects.count():,} checks in {time.monotonic() - start:.0f} s"


def now() -> datetime:
    return datetime.now(UTC)
