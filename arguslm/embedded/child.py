from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arguslm.embedded.console import Console
from arguslm.embedded.watchdog import Watchdog, signal_group

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STABLE_AFTER_S = 60.0
LONGEST_LINE = 16_384


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `descriptors` are open files that the process inherits."""

    name: str
    command: list[str]
    directory: Path
    environment: Mapping[str, str]
    descriptors: tuple[int, ...] = ()


@dataclass(slots=True)
class Child:
    """One supervised process in its own session, so that a terminal's Ctrl-C misses it."""

    program: Program
    watchdog: Watchdog
    console: Console
    due_at: float = 0.0
    quick_ends: int = 0
    output: int | None = None
    _process: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0
    _unfinished: bytes = field(default=b"")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> int:
        """Returns the descriptor that its output can be read from."""
        self.output, writing = os.pipe()
        os.set_blocking(self.output, False)
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            self.program.command,
            cwd=self.program.directory,
            env=self.program.environment,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            pass_fds=self.program.descriptors,
            start_new_session=True,
            # Allowed here: the supervisor has no threads.
            preexec_fn=self.watchdog.registration(),
        )
        os.close(writing)
        self.watchdog.remember(self._process.pid)
        self._started_at = time.monotonic()
        return self.output

    def read_output(self) -> bool:
        """Passes complete lines on; False at the end of the output."""
        assert self.output is not None
        try:
            chunk = os.read(self.output, 65_536)
        except BlockingIOError:
            return True
        *lines, self._unfinished = (self._unfinished + chunk).split(b"\n")
        if self._unfinished and (not chunk or len(self._unfinished) > LONGEST_LINE):
            lines.append(self._unfinished)
            self._unfinished = b""
        for line in lines:
            self.console.line(self.program.name, line.decode("utf-8", "replace").rstrip("\r"))
        return bool(chunk)

    def reap(self) -> int | None:
        """Exit code of a process that has just ended (negative: the signal), else None."""
        if self._process is None or self._process.poll() is None:
            return None
        code: int = self._process.returncode
        signal_group(self._process.pid, signal.SIGKILL)
        self.watchdog.forget(self._process.pid)
        self._process = None
        return code

    def plan_restart(self) -> float:
        """Seconds to the next start: doubling while it ends early, 0.5 s again once stable."""
        lasted_s = time.monotonic() - self._started_at
        self.quick_ends = 1 if lasted_s > STABLE_AFTER_S else self.quick_ends + 1
        doublings = min(self.quick_ends - 1, 10)
        pause_s: float = min(FIRST_PAUSE_S * 2**doublings, LONGEST_PAUSE_S)
        self.due_at = time.monotonic() + pause_s
        return pause_s

    def signal(self, signum: int) -> None:
        if self._process is not None:
            signal_group(self._process.pid, signum)


def described(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
