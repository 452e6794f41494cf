"""A small process that outlives a killed supervisor and ends what it left behind.

It is run as a script, with the standard library alone, so that it starts in milliseconds and stays
small. Its standard input is a pipe from the supervisor that brings "+<group>" and "-<group>" lines;
the end of the pipe means that the supervisor is gone, however it went.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 3.0


class Watchdog:
    """The supervisor's side."""

    def __init__(self, cleanup_lock: int, leftover: Path) -> None:
        """`leftover` is deleted and `cleanup_lock` released when everything has ended."""
        self._arguments = [sys.executable, "-I", __file__, str(leftover)]
        self._cleanup_lock = cleanup_lock
        self._groups: set[int] = set()
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def registration(self) -> Callable[[], None]:
        """To be called by a new child between fork and exec: it registers its own group.

        Until its exec the child holds the pipe open itself, so that the watchdog cannot see the end
        before it has read the registration, even if the supervisor dies at that very moment.
        """
        pipe = self._pipe

        def register() -> None:
            os.write(pipe, b"+%d\n" % os.getpid())

        return register

    def remember(self, group: int) -> None:
        self._groups.add(group)

    def forget(self, group: int) -> None:
        self._groups.discard(group)
        with suppress(BrokenPipeError):
            os.write(self._pipe, b"-%d\n" % group)

    def restart_if_gone(self) -> bool:
        if self._process.poll() is None:
            return False
        os.close(self._pipe)
        self._start()
        return True

    def close(self) -> None:
        os.close(self._pipe)
        self._process.wait()

    def _start(self) -> None:
        reading, self._pipe = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            self._arguments,
            stdin=reading,
            env={},  # it needs none of what ours holds, the administrator's password least
            pass_fds=[self._cleanup_lock],
            start_new_session=True,
            preexec_fn=_ignore_stop_signals,
        )
        os.close(reading)
        for group in self._groups:
            os.write(self._pipe, b"+%d\n" % group)


def end_groups(groups: Iterable[int], patience_s: float = PATIENCE_S) -> None:
    """Asks the process groups to end, and kills those that are still there after `patience_s`."""
    left = {group for group in groups if signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + patience_s
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {group for group in left if signal_group(group, 0)}
    for group in left:
        signal_group(group, signal.SIGKILL)


def signal_group(group: int, signum: int) -> bool:
    """False when the group is gone (macOS answers EPERM for one that holds only zombies)."""
    try:
        os.killpg(group, signum)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _groups_at_end(lines: Iterable[bytes]) -> set[int]:
    groups: set[int] = set()
    for line in lines:
        if line.startswith(b"+"):
            groups.add(int(line[1:]))
        else:
            groups.discard(int(line[1:]))
    return groups


def _ignore_stop_signals() -> None:
    # Only the end of the pipe ends us, but a service manager signals every process of the service.
    # What is ignored before exec stays ignored after it, so there is no unprotected moment.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)


def main() -> None:
    end_groups(_groups_at_end(sys.stdin.buffer))
    Path(sys.argv[1]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
