"""The history of checks as a download: fast, and in constant memory.

The database's own values are read, without Django's converters, and turned into text by the block.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, FloatField, IntegerField, QuerySet, TextField
from django.db.models.functions import Cast

from arguslm.api.exports import cell
from models_app.models import LLM, LLMQuerySet
from monitoring.models import UptimeCheckQuerySet

COLUMNS = (
    "model_name",
    "provider",
    "status",
    "latency_ms",
    "error",
    "timestamp",
    "ttft_ms",
    "ttfa_ms",
    "tps",
    "tps_excluding_ttft",
    "tpot_ms",
    "queue_wait_ms",
    "connect_ms",
    "response_ms",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "token_source",
    "uncertainty_ms",
    "estimated_cost",
    "error_class",
    "counts_for_uptime",
    "prompt_pack",
    "model_id",
    "run_id",
    "id",
)
# Where a column comes from, if not from the field of its name. What is cast comes as the database's
# own text or number: no converter touches it.
SOURCES: dict[str, Any] = {
    "latency_ms": F("total_latency_ms"),
    "timestamp": Cast("created_at", TextField()),
    "estimated_cost": Cast("estimated_cost", FloatField()),
    "counts_for_uptime": Cast("counts_for_uptime", IntegerField()),
    "model_id": Cast("llm_id", TextField()),
    "run_id": Cast("round_id", TextField()),
    "id": Cast("id", TextField()),
}
# The first two columns belong to the LLM; the others are read, these of them by name.
OF_LLM = 2
READ = COLUMNS[OF_LLM:]
MODEL = READ.index("model_id")
TIMESTAMP, COUNTS = COLUMNS.index("timestamp"), COLUMNS.index("counts_for_uptime")
ID = COLUMNS.index("id")
IDS = (COLUMNS.index("model_id"), COLUMNS.index("run_id"), ID)
# Texts that were not chosen by us or checked against a list.
NAME, ERROR = COLUMNS.index("model_name"), COLUMNS.index("error")
BLOCK = 5000
Row = list[Any]


def csv_blocks(checks: UptimeCheckQuerySet) -> Iterator[bytes]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for rows in _blocks(checks):
        for row in rows:
            row[NAME] = cell(row[NAME])
            if row[ERROR] is not None:
                row[ERROR] = cell(row[ERROR])
        writer.writerows(rows)
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    yield out.getvalue().encode()


def json_blocks(checks: UptimeCheckQuerySet) -> Iterator[bytes]:
    """One object with the member `checks`: a list of one object for each row."""
    encode = json.JSONEncoder(allow_nan=False).encode
    before = '{"checks": [\n'
    for rows in _blocks(checks):
        objects = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        yield (before + encode(objects)[1:-1]).encode()
        before = ",\n"
    yield b"\n]}\n" if before == ",\n" else b'{"checks": []}\n'


BLOCKS: dict[str, Callable[[UptimeCheckQuerySet], Iterator[bytes]]] = {
    "csv": csv_blocks,
    "json": json_blocks,
}


class _Names(dict[str, tuple[str, str]]):
    """Name and provider type of each LLM, by its identifier as the database writes it.

    Looked up here and not joined: a database that joins may sort all checks before the first goes
    out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.update(self._read(LLM.objects.all()))

    def __missing__(self, told: str) -> tuple[str, str]:
        self.update(self._read(LLM.objects.filter(pk=UUID(told))))
        return self.setdefault(told, ("", ""))

    def _read(self, llms: LLMQuerySet) -> Iterator[tuple[str, tuple[str, str]]]:
        names = llms.order_by().values_list(
            Cast("id", TextField()), "custom_name", "upstream_id", "account__provider_type"
        )
        for told, custom_name, upstream_id, provider_type in names:
            yield told, (custom_name or upstream_id, provider_type)


def _blocks(checks: UptimeCheckQuerySet) -> Iterator[list[Row]]:
    """Rows in the order of COLUMNS, newest first."""
    names = _Names()
    sources = [SOURCES.get(name, F(name)) for name in READ]
    ordered = checks.order_by("-created_at", "-id").values_list(*sources)
    is_sqlite = connection.vendor == "sqlite"
    left = ordered
    # Piece by piece: a database that is asked for all rows at once may sort them all before the
    # first goes out, and would keep the state of that moment until the last has gone.
    while block := [[*names[row[MODEL]], *row] for row in _fetched(left[:BLOCK])]:
        _finish(block, "+00:00" if is_sqlite else ":00")
        if is_sqlite:
            _write_ids(block)
        at, last_id = datetime.fromisoformat(block[-1][TIMESTAMP]), UUID(block[-1][ID])
        left = ordered.filter(created_at__lte=at).exclude(created_at=at, id__gte=last_id)
        yield block
        if len(block) < BLOCK:
            return


def _fetched(rows: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """As the driver gives them: Django's own way to a tuple costs a third of the whole export."""
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _finish(rows: Sequence[Row], zone_rest: str) -> None:
    for row in rows:
        row[TIMESTAMP] = row[TIMESTAMP].replace(" ", "T") + zone_rest
        row[COUNTS] = row[COUNTS] == 1


def _write_ids(rows: Sequence[Row]) -> None:
    """SQLite has 32 digits for an identifier."""
    for row in rows:
        for place in IDS:
            told = row[place]
            row[place] = f"{told[:8]}-{told[8:12]}-{told[12:16]}-{told[16:20]}-{told[20:]}"
