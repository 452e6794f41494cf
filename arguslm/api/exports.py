"""Downloads in constant memory: rows go out as they come from the database."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from rest_framework.utils.encoders import JSONEncoder

from arguslm.api.fields import Choice

FORMATS = ("json", "csv")
# A spreadsheet evaluates a cell that starts so (OWASP, "CSV Injection"), in some of them also with
# the full-width forms, and with blanks in front.
FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
CELL_BREAKS = ("\t", "\r", "\n")
ROWS_PER_CHUNK = 500


def format_field(**kwargs: Any) -> Choice:
    return Choice(choices=FORMATS, **kwargs)


def cell(value: Any) -> Any:
    """A text that a spreadsheet would evaluate gets an apostrophe in front; numbers stay."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(CELL_BREAKS) or value.lstrip().startswith(FORMULA_STARTS)
    return "'" + value if is_formula else value


class _Echo:
    def write(self, text: str) -> str:
        return text


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([cell(row[column]) for column in columns])


def json_document(
    head: Mapping[str, Any], key: str, rows: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """`head` with one more member `key`: the list of rows, one on each line."""
    opening = json.dumps({**head, key: []}, cls=JSONEncoder)
    yield opening[:-2] + "\n"
    separator = ""
    for row in rows:
        yield separator + json.dumps(row, cls=JSONEncoder)
        separator = ",\n"
    yield "\n]}\n"


class Download(StreamingHttpResponse):
    """Goes out chunk by chunk under ASGI too, where Django would collect all chunks first."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert not self.is_async
        chunks: Iterator[bytes] = iter(cast("Iterator[bytes]", self.streaming_content))

        def following() -> bytes | None:
            return next(chunks, None)

        # Thread-sensitive: the thread of this request, to which the database connection belongs.
        while (chunk := await sync_to_async(following)()) is not None:
            yield chunk


def download(lines: Iterable[str], *, kind: str, name: str) -> StreamingHttpResponse:
    return download_blocks(_chunks(lines), kind=kind, name=name)


def download_blocks(blocks: Iterable[bytes], *, kind: str, name: str) -> StreamingHttpResponse:
    """Sends each block as it is: they should be some 100 kB."""
    types = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
    response = Download(blocks, content_type=types[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def _chunks(lines: Iterable[str]) -> Iterator[bytes]:
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) >= ROWS_PER_CHUNK:
            yield "".join(waiting).encode()
            waiting.clear()
    yield "".join(waiting).encode()
