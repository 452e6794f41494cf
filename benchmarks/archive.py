"""The encoded results and statistics of a run: kept once it has ended, made anew until then."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from benchmarks.documents import result_document
from benchmarks.models import BenchmarkRun, RunDocument
from benchmarks.summaries import statistics_of

# Grows when the form of a result or of the statistics changes: kept documents are made anew.
VERSION = 2
KEEP_FROM = 500
LEVEL = 1
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Encoded:
    """JSON texts: an array of results and the object of statistics."""

    results: bytes
    statistics: bytes


def encoded(run: BenchmarkRun, result_count: int) -> Encoded:
    names = run.llm_names()
    if run.is_open or result_count < KEEP_FROM:
        return _made(run, names)
    key = _key(names)
    kept = RunDocument.objects.filter(run=run, key=key).first()
    if kept is not None:
        return Encoded(zlib.decompress(kept.results), zlib.decompress(kept.statistics))
    made = _made(run, names)
    keep(run, key, made)
    return made


def prepare(run: BenchmarkRun) -> None:
    """Encodes a large run that has ended before somebody has to wait for it."""
    encoded(run, run.results.count())


def keep(run: BenchmarkRun, key: str, made: Encoded) -> None:
    texts = {
        "results": zlib.compress(made.results, LEVEL),
        "statistics": zlib.compress(made.statistics, LEVEL),
    }
    RunDocument.objects.update_or_create(run=run, defaults={"key": key, **texts})


def statistics(run: BenchmarkRun, result_count: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encoded(run, result_count).statistics)
    return found


def _made(run: BenchmarkRun, names: Mapping[UUID, str]) -> Encoded:
    results = list(run.results.order_by("ordinal"))
    documents = [result_document(result, names[result.llm_id]) for result in results]
    found = statistics_of(run, results, names)
    return Encoded(_encode(documents).encode(), _encode(found).encode())


def _key(names: Mapping[UUID, str]) -> str:
    said = [VERSION, *([str(llm_id), name] for llm_id, name in names.items())]
    return sha256(_encode(said).encode()).hexdigest()
