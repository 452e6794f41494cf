from __future__ import annotations

import selectors
import socket
import time

PAUSE_S = 0.2
PATIENCE_S = 10.0


class HealthProbe:
    """Asks GET /health until it answers 200, without ever blocking the supervisor's loop.

    The socket already listens while the web process starts, so one request usually waits inside it
    and its answer marks the very moment of readiness.
    """

    def __init__(
        self, selector: selectors.BaseSelector, address: tuple[str, int], host_header: str
    ) -> None:
        self._selector = selector
        self._address = address
        request = f"GET /health HTTP/1.1\r\nHost: {host_header}\r\nConnection: close\r\n\r\n"
        self._request = request.encode("latin-1")
        self._connection: socket.socket | None = None
        self._next_at = 0.0
        self.is_ready = False

    def turn(self) -> None:
        """Asks again when it is time to; an answer arrives through the selector."""
        if self.is_ready or time.monotonic() < self._next_at:
            return
        self.close()
        self._next_at = time.monotonic() + PATIENCE_S
        try:
            self._connection = socket.create_connection(self._address, timeout=1)
            self._connection.sendall(self._request)
        except OSError:
            self._retry()
            return
        self._selector.register(self._connection, selectors.EVENT_READ, self._read)

    def close(self) -> None:
        if self._connection is None:
            return
        if self._connection in self._selector.get_map():
            self._selector.unregister(self._connection)
        self._connection.close()
        self._connection = None

    def _read(self) -> None:
        assert self._connection is not None
        try:
            status_line = self._connection.recv(64)
        except OSError:
            status_line = b""
        if status_line.split(b" ")[1:2] == [b"200"]:
            self.is_ready = True
            self.close()
        else:
            self._retry()

    def _retry(self) -> None:
        self.close()
        self._next_at = time.monotonic() + PAUSE_S
