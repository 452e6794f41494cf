"""The web process: daphne on a socket that the supervisor has opened, stopped without losses.

Daphne alone cuts requests that are in flight when it is told to stop, and their threads can crash
the interpreter on its way out. Here a SIGTERM first closes the door, then lets requests finish.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from typing import Any

from arguslm.embedded.patience import PatientServer

DRAIN_S = 4.0
FLUSH_S = 0.1
GOING_AWAY = 1001  # RFC 6455, section 7.4.1


class Web:
    def __init__(self, application: Any, descriptor: int) -> None:
        from daphne.ws_protocol import WebSocketProtocol
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self._descriptor = descriptor
        self._port: Any = None
        self._is_draining = False
        self._socket_class: Any = WebSocketProtocol
        # Daphne insists on an endpoint, but its endpoint strings cannot adopt an IPv6 socket.
        self._server: Any = PatientServer(
            application,
            endpoints=["adopted"],
            signal_handlers=False,
            ready_callable=self._listen,
        )
        self._server.endpoints = []

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._server.run()

    def _listen(self) -> None:
        with socket.socket(fileno=os.dup(self._descriptor)) as listening:
            listening.setblocking(False)
            family = listening.family
        self._port = self._reactor.adoptStreamPort(
            self._descriptor, family, self._server.http_factory
        )

    def _on_signal(self, signum: int, frame: object) -> None:
        self._reactor.callFromThread(self._drain)

    def _drain(self) -> None:
        if self._is_draining:
            return
        self._is_draining = True
        self._port.stopListening()
        self._leave_when_done(time.monotonic() + DRAIN_S)
        for protocol in self._sockets():
            if protocol.state == protocol.STATE_OPEN:
                # sendClose() takes only the codes that are meant for applications.
                protocol.sendCloseFrame(code=GOING_AWAY)

    def _leave_when_done(self, deadline: float) -> None:
        if self._requests_in_flight() and time.monotonic() < deadline:
            self._reactor.callLater(0.02, self._leave_when_done, deadline)
        else:
            self._reactor.callLater(FLUSH_S, self._leave)

    def _leave(self) -> None:
        sys.stderr.flush()
        # A view that still runs in a thread would crash the interpreter while it is torn down.
        os._exit(0)

    def _sockets(self) -> list[Any]:
        return [p for p in self._server.connections if isinstance(p, self._socket_class)]

    def _requests_in_flight(self) -> int:
        sockets = self._sockets()
        running = [
            details.get("application_instance")
            for protocol, details in self._server.connections.items()
            if protocol not in sockets
        ]
        return sum(1 for application in running if application and not application.done())


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arguslm.settings")
    # After daphne: the application looks at the server that carries it.
    from arguslm.asgi import application

    Web(application, int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
