from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import itertools
import os
import resource
import secrets
import time

from providers.simulator.behaviour import Behaviour
from providers.simulator.config import SimulatorConfig
from providers.simulator.connection import Connection
from providers.simulator.http1 import Request
from providers.simulator.journal import Journal, RequestRecord
from providers.simulator.metronome import Metronome
from providers.simulator.refusals import refusal
from providers.simulator.replies import refusal_bytes
from providers.simulator.roster import Roster
from providers.simulator.routes import Routes
from providers.simulator.script import PLACEHOLDER, Script
from providers.simulator.tools import Tools

BACKLOG = 2048
FLUSH_EVERY_S = 1.0
WIDEST_TABLE = 8_192


class Simulator:
    """Models over HTTP whose every delay is asked for and whose true write times are kept.

    `start` and `stop` belong to one event loop; everything else may be called from any thread.
    """

    def __init__(self, config: SimulatorConfig | None = None) -> None:
        self.config = config or SimulatorConfig()
        self.journal = Journal(self.config.log_size, self.config.log_path)
        self.connections: set[Connection] = set()
        self.loop: asyncio.AbstractEventLoop
        self.metronome: Metronome
        self._roster = Roster(self.config.models)
        self._routes = Routes(self.config, self._roster, int(time.time()))
        self._tools = Tools(self._roster, self.journal)
        self._salt = secrets.token_hex(4)
        self._requests = itertools.count(1)
        self._sockets = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._flusher: asyncio.TimerHandle | None = None
        self._address = ("", 0)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError, also for a log it cannot write."""
        if not 0 <= port <= 65_535:  # uvloop would take the lower 16 bits
            raise OSError("a port is a number from 0 to 65535")
        self.loop = asyncio.get_running_loop()
        self.journal.open()
        try:
            self._server = await self.loop.create_server(self._connect, host, port, backlog=BACKLOG)
        except OSError:
            self.journal.close()
            raise
        listening = self._server.sockets[0]
        self._address = (host, listening.getsockname()[1])
        _widen_descriptor_table(listening.fileno())
        self.metronome = Metronome(self.loop)
        self._flush()

    async def stop(self) -> None:
        """Stop listening, drop every connection, finish the log. Harmless when not started."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        open_ones = tuple(self.connections)
        for connection in open_ones:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in open_ones))
        await server.wait_closed()
        self.metronome.close()
        if self._flusher is not None:
            self._flusher.cancel()
        self.journal.close()

    @property
    def is_open(self) -> bool:
        return self._server is not None

    @property
    def base_url(self) -> str:
        """Without /v1. The OpenAI SDK wants `base_url + "/v1"`, the Anthropic SDK this."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def log(self) -> tuple[RequestRecord, ...]:
        """The recent requests, oldest first; those still open have no `t_done`."""
        self._settle()
        return self.journal.recent()

    def record_of(self, request_id: str) -> RequestRecord | None:
        self._settle()
        return self.journal.find(request_id)

    def models(self) -> list[str]:
        return self._roster.names()

    def behaviour_of(self, model: str) -> Behaviour | None:
        return self._roster.find(model)

    def set_behaviour(self, model: str, behaviour: Behaviour) -> None:
        """From the next request on; a new name becomes a new model."""
        self._roster.put(model, behaviour)

    def remove_model(self, model: str) -> None:
        self._roster.remove(model)

    def record(self, request: Request, connection: Connection) -> RequestRecord:
        record = RequestRecord(
            request_id=f"req_{self._salt}{next(self._requests):012x}",
            method=request.method,
            path=request.path[:500],
            connection=connection.number,
            nth_on_connection=connection.served,
            t_accept=connection.accepted_ns,
            t_request_read=connection.accepted_ns,
            auth=request.key_header,
            quiet=Tools.serves(request.path),
        )
        self.journal.begin(record)
        return record

    def script(self, request: Request, record: RequestRecord, connection: Connection) -> Script:
        if Tools.serves(request.path):
            return self._tools.script(request, is_local=_is_local(connection.peer))
        return self._routes.script(request, record)

    def refusal(self, status: int, message: str) -> bytes:
        made = refusal_bytes(refusal(status, message))
        return made.replace(PLACEHOLDER, f"req_{self._salt}{0:012x}".encode())

    def _settle(self) -> None:
        """Another thread may see the last bytes before their stamp is noted: let the loop pass."""
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if self.is_open and running is not self.loop:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result(timeout=10)

    def _connect(self) -> Connection:
        return Connection(self, next(self._sockets), self.config.max_body_bytes)

    def _flush(self) -> None:
        self.journal.flush()
        self._flusher = self.loop.call_later(FLUSH_EVERY_S, self._flush)


def _widen_descriptor_table(fd: int) -> None:
    """Linux grows the table at 64, 256 … files and stops a threaded process for ~10 ms each time.

    One high descriptor, opened and closed before anybody is timed, takes that pause in advance.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = WIDEST_TABLE if soft == resource.RLIM_INFINITY else min(soft, WIDEST_TABLE)
    os.close(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, highest - 1))


def _is_local(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False
