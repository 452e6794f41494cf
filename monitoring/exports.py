"""The history of checks as a download: fast, and in constant memory.

The database's own values are read, without Django's converters, and turned into text by the block.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import (
    Case,
    F,
    FloatField,
    Func,
    IntegerField,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast
from pydantic_core import to_json

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
# The first two columns belong to the LLM; the others are read, these of them by name.
OF_LLM = 2
READ = COLUMNS[OF_LLM:]
ERROR, COUNTS = COLUMNS.index("error"), COLUMNS.index("counts_for_uptime")
TIMESTAMP, ID = COLUMNS.index("timestamp"), COLUMNS.index("id")
MODEL_READ = READ.index("model_id")
BLOCK = 3000
Row = tuple[Any, ...]
# SQLite has 32 digits for an identifier.
DASHED = "||'-'||".join(
    f"substr(%(expressions)s,{start},{length})"
    for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
)
# Always with microseconds: many readers take the form of the first row for that of all.
MOMENT = {
    "sqlite": (
        "substr(%(expressions)s,1,10)||'T'||substr(%(expressions)s,12,8)||'.'"
        "||substr(substr(%(expressions)s,21)||'000000',1,6)||'+00:00'"
    ),
    "postgresql": (
        "to_char(%(expressions)s at time zone 'UTC','YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
    ),
}


def sources() -> dict[str, Any]:
    """Where a column comes from, if not from the field of its name.

    What is cast comes as the database's own text or number: no converter touches it.
    """
    text, is_sqlite = TextField(), connection.vendor == "sqlite"
    at = Func(F("created_at"), template=MOMENT[connection.vendor], output_field=text)
    written = {
        name: Func(F(field), template=DASHED, output_field=text) if is_sqlite else Cast(field, text)
        for name, field in (("model_id", "llm_id"), ("run_id", "round_id"), ("id", "id"))
    }
    return written | {
        "latency_ms": F("total_latency_ms"),
        "timestamp": at,
        "estimated_cost": Cast("estimated_cost", FloatField()),
        "counts_for_uptime": Cast("counts_for_uptime", IntegerField()),
    }


def csv_blocks(checks: UptimeCheckQuerySet) -> Iterator[bytes]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    counts = Case(When(counts_for_uptime=True, then=Value("True")), default=Value("False"))
    for rows in _blocks(checks, _Names(cell), counts_for_uptime=counts):
        writer.writerows(row if row[ERROR] is None else _safe(row) for row in rows)
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    yield out.getvalue().encode()


def _safe(row: Row) -> Row:
    return (*row[:ERROR], cell(row[ERROR]), *row[ERROR + 1 :])


def json_blocks(checks: UptimeCheckQuerySet) -> Iterator[bytes]:
    """One object with the member `checks`: a list of one object for each row."""
    before = b'{"checks": [\n'
    for rows in _blocks(checks, _Names(str)):
        objects = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        for told in objects:
            told["counts_for_uptime"] = told["counts_for_uptime"] == 1
        # Four times as fast as the standard library's, and here for the providers' SDKs anyway.
        yield before + to_json(objects, inf_nan_mode="null")[1:-1]
        before = b",\n"
    yield b"\n]}\n" if before == b",\n" else b'{"checks": []}\n'


BLOCKS: dict[str, Callable[[UptimeCheckQuerySet], Iterator[bytes]]] = {
    "csv": csv_blocks,
    "json": json_blocks,
}


class _Names(dict[str, tuple[str, str]]):
    """Name and provider type of each LLM, by its written identifier.

    Looked up here and not joined: a database that joins may sort all checks before the first goes
    out.
    """

    def __init__(self, told: Callable[[str], str]) -> None:
        super().__init__()
        self._told = told
        self.update(self._read(LLM.objects.all()))

    def __missing__(self, key: str) -> tuple[str, str]:
        self.update(self._read(LLM.objects.filter(pk=UUID(key))))
        return self.setdefault(key, ("", ""))

    def _read(self, llms: LLMQuerySet) -> Iterator[tuple[str, tuple[str, str]]]:
        names = llms.order_by().values_list(
            "id", "custom_name", "upstream_id", "account__provider_type"
        )
        for pk, custom_name, upstream_id, provider_type in names:
            yield str(pk), (self._told(custom_name or upstream_id), provider_type)


def _blocks(checks: UptimeCheckQuerySet, names: _Names, **others: Any) -> Iterator[list[Row]]:
    """Rows in the order of COLUMNS, newest first. `others`: sources in place of the usual ones."""
    given = sources() | others
    read = [given.get(name, F(name)) for name in READ]
    ordered = checks.order_by("-created_at", "-id").values_list(*read)
    left = ordered
    # Piece by piece: a database that is asked for all rows at once may sort them all before the
    # first goes out, and would keep the state of that moment until the last has gone.
    while block := [(*names[row[MODEL_READ]], *row) for row in _fetched(left[:BLOCK])]:
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
