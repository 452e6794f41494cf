from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from arguslm.embedded import preparation, programs
from arguslm.embedded.broker import Broker, BrokerUnavailable
from arguslm.embedded.child import Child, Program
from arguslm.embedded.console import Console
from arguslm.embedded.errors import StartRefused
from arguslm.embedded.listening import accepted_host, local_address, open_socket, url_of
from arguslm.embedded.lock import owned
from arguslm.embedded.readiness import HealthProbe
from arguslm.embedded.supervisor import StopRequested, Supervisor
from arguslm.embedded.watchdog import Watchdog

BROKER_STARTS = 3
BROKER_START_S = 20.0


def run(
    console: Console,
    announce: Callable[[str], None],
    *,
    extra: Sequence[Program],
    next_step: str,
) -> None:
    """One life of the server: returns after a requested stop, raises StartRefused before it.

    `extra` programs run beside the server's own. `next_step` ends the start; its `{url}` is ours.
    """
    warnings = preparation.check_settings()
    data_dir: Path = settings.DATA_DIR
    with (
        owned(data_dir) as cleanup_lock,
        open_socket(settings.HOST, settings.PORT) as listening,
        closing(Watchdog(cleanup_lock, leftover=data_dir / "run" / "redis.url")) as watchdog,
    ):
        # Where any free port was asked for, the children's links must name the one that was found.
        os.environ["ARGUSLM_PORT"] = str(local_address(listening)[1])
        for warning in warnings:
            console.say(warning)
        supervisor = Supervisor(console, watchdog)
        Server(supervisor, console, listening, announce, extra, next_step).live()


@dataclass(frozen=True, slots=True)
class Server:
    supervisor: Supervisor
    console: Console
    listening: socket.socket
    announce: Callable[[str], None]
    extra: Sequence[Program]
    next_step: str

    def live(self) -> None:
        try:
            with self.supervisor.interruptible():
                self._start_broker()
                self._prepare()
            self._serve()
        except StopRequested:
            self.console.say("Stop requested before the start was complete.")
        finally:
            self.listening.close()
            self.supervisor.stop()

    def _start_broker(self) -> None:
        if settings.EXTERNAL_REDIS_URL:
            return
        for _ in range(BROKER_STARTS):
            broker = Broker.prepare(settings.DATA_DIR)
            child = self.supervisor.add(programs.broker(broker))
            if self._comes_up(broker, child):
                broker.publish()
                return
            self.supervisor.discard(child)
        raise BrokerUnavailable(f"The broker does not start: {settings.DATA_DIR}/logs/broker.log.")

    def _comes_up(self, broker: Broker, child: Child) -> bool:
        deadline = time.monotonic() + BROKER_START_S
        while child.quick_ends == 0 and time.monotonic() < deadline:
            if broker.answers():
                return True
            self.supervisor.turn(0.02)
        return False

    def _prepare(self) -> None:
        try:
            applied = preparation.migrate()
            admin_made = preparation.create_admin(settings.ADMIN_USER, settings.ADMIN_PASSWORD)
        except DatabaseError as error:
            raise StartRefused(f"The database cannot be prepared: {error}") from error
        if applied:
            self.console.say(f"Applied {applied} migrations.")
        if admin_made:
            self.console.say(f"Made the administrator account {settings.ADMIN_USER}.")
        if preparation.collect_static():
            self.console.say("Collected the static files.")

    def _serve(self) -> None:
        host, port = local_address(self.listening)
        header = accepted_host(settings.ALLOWED_HOSTS, host)
        probe = HealthProbe(self.supervisor.selector, (host, port), header)
        self.supervisor.add(programs.web(self.listening.fileno()))
        self.supervisor.add(programs.worker())
        self.supervisor.add(programs.alerts())
        for program in self.extra:
            self.supervisor.add(program)
        while not (self.supervisor.stop_requested or probe.is_ready):
            probe.turn()
            self.supervisor.turn(0.1)
        probe.close()
        if probe.is_ready:
            self.supervisor.add(programs.beat())
            self._announce()
        while not self.supervisor.stop_requested:
            self.supervisor.turn()

    def _announce(self) -> None:
        url = url_of(self.listening)
        account = (
            "sign in with your account"
            if preparation.has_admin()
            else "make the first account with: make account (or: python manage.py createsuperuser)"
        )
        connections.close_all()
        self.announce(f"ArgusLM is ready: {url}")
        self.announce(f"Admin: {url}/admin/ - {account}")
        self.announce(f"Next: {self.next_step.format(url=url)}")
