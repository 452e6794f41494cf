from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def private_directory(path: Path) -> Path:
    """Creates the directory and its parents; the directory itself is for its owner alone."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def replace_private(path: Path, text: str) -> None:
    """Puts the whole text at `path` in one step, mode 0600, whatever was there before."""
    with _written_beside(path, text) as complete:
        complete.replace(path)


def create_private(path: Path, text: str) -> bool:
    """Like `replace_private`, but False (and nothing changed) when the file exists already."""
    with _written_beside(path, text) as complete, suppress(FileExistsError):
        os.link(complete, path)
        return True
    return False


@contextmanager
def _written_beside(path: Path, text: str) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    complete = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield complete
    finally:
        complete.unlink(missing_ok=True)
