from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arguslm.embedded.errors import StartRefused
from arguslm.embedded.files import private_directory


class DataDirectoryBusy(StartRefused):
    """Another supervisor owns the data directory."""


@contextmanager
def owned(data_dir: Path, patience_s: float = 15.0) -> Iterator[int]:
    """Owns the data directory for the block, or raises DataDirectoryBusy.

    Yields the descriptor of a second lock, for the watchdog: it outlives a killed supervisor until
    the last orphan is gone, and the next supervisor waits up to `patience_s` for that.
    """
    directory = private_directory(data_dir / "run")
    owner = _open(directory / "owner.lock")
    cleanup = _open(directory / "cleanup.lock")
    try:
        if not _lock(owner):
            raise DataDirectoryBusy(f"ArgusLM is already running on {data_dir}.")
        if not _lock_within(cleanup, patience_s):
            raise DataDirectoryBusy(f"Processes of an earlier run still use {data_dir}.")
        yield cleanup
    finally:
        os.close(cleanup)
        os.close(owner)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_within(descriptor: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not _lock(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
