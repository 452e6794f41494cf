from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from arguslm.embedded.child import Child, Program, described
from arguslm.embedded.console import Console
from arguslm.embedded.watchdog import Watchdog

# Together below the 10 s that an operator is promised.
STOP_PATIENCE_S = 6.0
BROKER_PATIENCE_S = 2.0
LONGEST_WAIT_S = 1.0
NOTABLE_ENDS = 5


class StopRequested(Exception):
    """SIGTERM or SIGINT came while the start was still under way."""


class Supervisor:
    """Runs children, passes their output on, restarts them. One thread, one selector."""

    def __init__(self, console: Console, watchdog: Watchdog) -> None:
        self.selector = selectors.DefaultSelector()
        self._console = console
        self._watchdog = watchdog
        self._children: dict[str, Child] = {}
        self._stop_requests = 0
        self._is_stopping = False
        self._may_raise = False
        self._listen_to_signals()

    @property
    def stop_requested(self) -> bool:
        return self._stop_requests > 0

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A stop request raises StopRequested at once inside the block, for long calls."""
        self._may_raise = True
        try:
            if self.stop_requested:
                raise StopRequested
            yield
        finally:
            self._may_raise = False

    def add(self, program: Program) -> Child:
        child = Child(program, self._watchdog, self._console)
        self._children[program.name] = child
        self._start(child)
        return child

    def discard(self, child: Child) -> None:
        """Ends a child for good."""
        del self._children[child.program.name]
        child.signal(signal.SIGKILL)
        while child.is_running and child.reap() is None:
            time.sleep(0.01)
        self._drain(child)

    def turn(self, longest_s: float = LONGEST_WAIT_S) -> None:
        """One round of the loop: output, ends, due restarts."""
        for key, _ in self.selector.select(self._wait_s(longest_s)):
            key.data()
        if self._watchdog.restart_if_gone():
            self._console.say("The watchdog was gone and has been started again.")
        for child in self._children.values():
            self._look_after(child)

    def stop(self) -> None:
        """Ends web, worker and beat side by side, then the broker, which they need to the last."""
        self._is_stopping = True
        started_at = time.monotonic()
        others = [child for name, child in self._children.items() if name != "broker"]
        self._end(others, STOP_PATIENCE_S)
        self._end(list(self._children.values()), BROKER_PATIENCE_S)
        self._console.say(f"Stopped in {time.monotonic() - started_at:.1f} s.")

    def _end(self, children: list[Child], patience_s: float) -> None:
        for child in children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + patience_s
        requests = self._stop_requests
        while any(child.is_running for child in children):
            # A second Ctrl-C means now.
            if time.monotonic() > deadline or self._stop_requests > max(requests, 1):
                self._kill(children)
            self.turn(0.1)

    def _kill(self, children: list[Child]) -> None:
        for child in children:
            if child.is_running:
                self._console.say(f"{child.program.name} did not end in time and is killed.")
                child.signal(signal.SIGKILL)

    def _look_after(self, child: Child) -> None:
        code = child.reap()
        if code is not None:
            self._drain(child)
            self._after_end(child, code)
        if child.is_running or self._is_stopping or self.stop_requested:
            return
        if time.monotonic() >= child.due_at:
            self._start(child)

    def _after_end(self, child: Child, code: int) -> None:
        if self._is_stopping or self.stop_requested:
            return
        name = child.program.name
        pause_s = child.plan_restart()
        self._console.say(f"{name} {described(code)}; it starts again in {pause_s:g} s.")
        if child.quick_ends % NOTABLE_ENDS == 0:
            self._console.say(
                f"{name} has ended {child.quick_ends} times within a minute of its start: "
                f"its last lines say why. It is tried again until you stop ArgusLM."
            )

    def _start(self, child: Child) -> None:
        self.selector.register(child.start(), selectors.EVENT_READ, self._reader(child))

    def _reader(self, child: Child) -> Callable[[], None]:
        def read() -> None:
            if not child.read_output():
                self._close_output(child)

        return read

    def _drain(self, child: Child) -> None:
        """Reads what an ended child has left in its pipe; a stray writer cannot hold it open."""
        if child.output is not None and child.read_output():
            child.read_output()
        self._close_output(child)

    def _close_output(self, child: Child) -> None:
        if child.output is None:
            return
        self.selector.unregister(child.output)
        os.close(child.output)
        child.output = None

    def _wait_s(self, longest_s: float) -> float:
        now = time.monotonic()
        due = [child.due_at - now for child in self._children.values() if not child.is_running]
        return max(0.0, min([longest_s, *due]))

    def _listen_to_signals(self) -> None:
        waking, woken = os.pipe()
        for descriptor in (waking, woken):
            os.set_blocking(descriptor, False)
        self.selector.register(waking, selectors.EVENT_READ, lambda: os.read(waking, 512))
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        signal.signal(signal.SIGTERM, self._on_stop_signal)
        signal.signal(signal.SIGINT, self._on_stop_signal)
        # Under nohup the terminal may go and we stay.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_stop_signal)

    def _on_stop_signal(self, signum: int, frame: object) -> None:
        self._stop_requests += 1
        if self._may_raise:
            raise StopRequested
