from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from django.utils import timezone

from arguslm.embedded.files import private_directory

FILE_BYTES = 5_000_000
FILES_KEPT = 3
COLOURS = {"broker": 35, "web": 32, "worker": 36, "beat": 33, "models": 31, "up": 34}
WIDTH = max(map(len, COLOURS))


class Console:
    """Log lines of every child: prefixed on the terminal, as they are in one file each."""

    def __init__(self, directory: Path, terminal: IO[str], colour: bool) -> None:
        private_directory(directory)
        self.directory = directory
        self._terminal: IO[str] | None = terminal
        self._colour = colour
        self._files: dict[str, RotatingFileHandler] = {}

    def say(self, text: str) -> None:
        """A line of the supervisor itself."""
        self.line("up", f"{timezone.now():%Y-%m-%d %H:%M:%S} {text}")

    def line(self, name: str, text: str) -> None:
        self._file(name).emit(logging.makeLogRecord({"msg": text}))
        if self._terminal is None:
            return
        try:
            self._terminal.write(f"{self._prefix(name)} {text}\n")
            self._terminal.flush()
        except OSError:
            # Whoever read our output has gone; the files go on.
            self._terminal = None

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _prefix(self, name: str) -> str:
        prefix = f"{name:<{WIDTH}} |"
        return f"\033[{COLOURS[name]}m{prefix}\033[0m" if self._colour else prefix

    def _file(self, name: str) -> RotatingFileHandler:
        if name not in self._files:
            self._files[name] = RotatingFileHandler(
                self.directory / f"{name}.log",
                maxBytes=FILE_BYTES,
                backupCount=FILES_KEPT,
                encoding="utf-8",
            )
        return self._files[name]
