from __future__ import annotations

import json
from array import array
from collections import deque
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

STAMPS_KEPT = 2_000_000


@dataclass(slots=True)
class RequestRecord:
    """What truly happened to one request; every `t_` is perf_counter ns, None until it happens.

    `writes` holds one stamp per content chunk, taken just before the socket write that completed
    it (chunks that share a write share a stamp). `queued_writes` counts writes the kernel would
    not take at once: their true time is later than the stamp.
    """

    request_id: str
    method: str
    path: str
    connection: int
    nth_on_connection: int
    t_accept: int
    t_request_read: int
    wire: str | None = None
    model: str | None = None
    stream: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    auth: str | None = None
    faults: tuple[str, ...] = ()
    status: int | None = None
    prompt_tokens: int | None = None
    tokens: int = 0
    t_head_write: int | None = None
    writes: array[int] = field(default_factory=lambda: array("q"))
    queued_writes: int = 0
    worst_late_ns: int = 0
    longest_write_ns: int = 0
    t_done: int | None = None
    outcome: str = "open"
    quiet: bool = False

    @property
    def t_first_write(self) -> int | None:
        return self.writes[0] if self.writes else None

    @property
    def t_last_write(self) -> int | None:
        return self.writes[-1] if self.writes else None

    def as_dict(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "quiet"}
        extra = {"t_first_write": self.t_first_write, "t_last_write": self.t_last_write}
        return {**fields, **extra, "writes": self.writes.tolist()}


class Journal:
    """The recent records in memory, bounded by count and by stamps; all of them in a file."""

    def __init__(self, size: int, path: Path | None = None) -> None:
        self._size = size
        self._records: deque[RequestRecord] = deque()
        self._stamps = 0
        self._path = path
        self._file: TextIOWrapper | None = None

    def open(self) -> None:
        if self._path is not None:
            self._file = self._path.open("a", encoding="utf-8", buffering=1 << 16)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def begin(self, record: RequestRecord) -> None:
        if record.quiet:
            return
        self._records.append(record)
        self._trim()

    def finish(self, record: RequestRecord) -> None:
        if record.quiet:
            return
        self._stamps += len(record.writes)
        self._trim()
        if self._file is not None:
            self._file.write(json.dumps(record.as_dict()) + "\n")

    def recent(self) -> tuple[RequestRecord, ...]:
        return tuple(self._records)

    def find(self, request_id: str) -> RequestRecord | None:
        found = (one for one in reversed(self._records) if one.request_id == request_id)
        return next(found, None)

    def _trim(self) -> None:
        while len(self._records) > self._size or self._stamps > STAMPS_KEPT:
            dropped = self._records.popleft()
            self._stamps -= len(dropped.writes) if dropped.t_done is not None else 0
