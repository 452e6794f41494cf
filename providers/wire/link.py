"""One connected socket on the event loop, in clear or under TLS, with a stamp on every read.

The socket is read here and not by the loop's own stream transports, because only ``recvmsg`` hands
out the kernel's receive stamps. ``add_reader`` is all it needs, so asyncio and uvloop both serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Protocol

from providers.measurement import now_ns
from providers.wire import kernel_stamps
from providers.wire.turnstile import Turnstile, turnstile_of

READ_BYTES = 64 * 1024


class Sink(Protocol):
    """What a link tells its user, synchronously, from the event loop."""

    def received(self, data: bytes, stamp_ns: int, read_ns: int) -> None: ...

    def ended(self) -> None: ...

    def lost(self, exc: OSError) -> None: ...


class Link:
    """Nonblocking reads and writes on one socket; ``ssl`` errors arrive as the OSErrors they are.

    ``write_error`` keeps a failed write apart: what the peer said before it closed is still read.
    """

    # Whether a step is under way whose time is taken when its bytes are read.
    _is_timed_here = False
    # Whether what is read goes to the sink as it is; saves a call for every token.
    _is_clear = True

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self.loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._ancillary_bytes = kernel_stamps.ANCILLARY_BYTES if kernel_stamps.enable(sock) else 0
        self._outgoing = bytearray()
        self._drained: asyncio.Future[None] | None = None
        self._reading = False
        self._turnstile: Turnstile | None = None
        self.sink: Sink | None = None
        self.floor_ns = now_ns()
        self.closed = False
        self.write_error: OSError | None = None

    @property
    def stamped(self) -> bool:
        """Whether the kernel stamps the reads."""
        return self._ancillary_bytes > 0

    @property
    def backlog(self) -> int:
        """Bytes that wait for the peer to take them."""
        return len(self._outgoing)

    def resume(self) -> None:
        """Read what comes; among many when the kernel tells when it came."""
        if self._reading or self.closed:
            return
        self._reading = True
        if self.stamped and not self._is_timed_here:
            self._turnstile = turnstile_of(self.loop)
            self._turnstile.add(self._fd, self.poll)
        else:
            self.loop.add_reader(self._fd, self.poll)

    def pause(self) -> None:
        if not self._reading:
            return
        self._reading = False
        if self._turnstile is None:
            self.loop.remove_reader(self._fd)
        else:
            self._turnstile.remove(self._fd)
            self._turnstile = None

    def poll(self) -> None:
        """Read once; what came goes to the sink."""
        if self.closed:
            return
        try:
            data, ancillary, _, _ = self._sock.recvmsg(READ_BYTES, self._ancillary_bytes)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._fail(exc)
            return
        read_ns = stamp_ns = now_ns()
        if ancillary:
            stamp_ns = kernel_stamps.arrival_ns(ancillary, self.floor_ns, read_ns)
        self.floor_ns = stamp_ns
        if not data:
            self._end()
        elif self._is_clear and self.sink is not None:
            self.sink.received(data, stamp_ns, read_ns)
        else:
            self._take(data, stamp_ns, read_ns)

    def write(self, data: bytes) -> None:
        if self.closed or self.write_error is not None:
            return
        self._outgoing += data
        if len(self._outgoing) == len(data):
            self._send()

    async def drained(self) -> None:
        """Return when nothing waits to be written, or nothing can be written any more."""
        if self.backlog and not self.closed and self.write_error is None:
            self._drained = self.loop.create_future()
            await self._drained

    def close(self) -> None:
        if self.closed:
            return
        self.pause()
        self.loop.remove_writer(self._fd)
        self.closed = True
        self._sock.close()
        self._release_writers()

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._outgoing)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as exc:
            self.write_error = exc
            sent = len(self._outgoing)
        del self._outgoing[:sent]
        if self._outgoing:
            self.loop.add_writer(self._fd, self._send)
        else:
            self.loop.remove_writer(self._fd)
            self._release_writers()

    def _release_writers(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _take(self, data: bytes, stamp_ns: int, read_ns: int) -> None:
        if self.sink is not None:
            self.sink.received(data, stamp_ns, read_ns)

    def _end(self) -> None:
        self.pause()
        if self.sink is not None:
            self.sink.ended()

    def _fail(self, exc: OSError) -> None:
        self.close()
        if self.sink is not None:
            self.sink.lost(exc)


class TlsLink(Link):
    """A link whose bytes pass through an ``ssl.SSLObject``.

    A peer that closes TCP without TLS's goodbye counts as having ended the stream, as in browsers
    and httpx2: the framing of HTTP tells whether the response was whole.
    """

    _is_clear = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        context: ssl.SSLContext,
        server_name: str,
    ) -> None:
        super().__init__(loop, sock)
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._from_peer, self._to_peer, server_hostname=server_name.rstrip(".")
        )
        self._clear = bytearray()
        self._shaken: asyncio.Future[None] = loop.create_future()

    @property
    def backlog(self) -> int:
        return len(self._outgoing) + len(self._clear)

    async def handshake(self) -> None:
        """Raises the ``OSError`` (``ssl.SSLError`` among them) that ended the attempt."""
        self._is_timed_here = True
        self.resume()
        self._shake()
        try:
            await self._shaken
        finally:
            self.pause()
            self._is_timed_here = False

    def write(self, data: bytes) -> None:
        self._clear += data
        self._encrypt()

    def close(self) -> None:
        if not self.closed and self._shaken.done():
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
        super().close()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as exc:
            self._shaken.set_exception(exc)
        else:
            self._shaken.set_result(None)
        self._flush()

    def _encrypt(self) -> None:
        try:
            while self._clear:
                del self._clear[: self._tls.write(self._clear)]
        except ssl.SSLWantReadError:
            pass  # renegotiating: the rest goes out after the peer's next bytes
        except ssl.SSLError as exc:
            self.write_error = exc
            self._clear.clear()
        self._flush()

    def _flush(self) -> None:
        if self._to_peer.pending:
            super().write(self._to_peer.read())

    def _take(self, data: bytes, stamp_ns: int, read_ns: int) -> None:
        self._from_peer.write(data)
        if not self._shaken.done():
            self._shake()
            return
        pieces: list[bytes] = []
        failure, goodbye = self._decrypt(pieces)
        self._encrypt()
        if pieces:
            super()._take(b"".join(pieces), stamp_ns, read_ns)
        if failure is not None:
            self._fail(failure)
        elif goodbye:
            super()._end()

    def _decrypt(self, pieces: list[bytes]) -> tuple[ssl.SSLError | None, bool]:
        """The error that ended the stream, and whether the peer said goodbye."""
        try:
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
                if not self._from_peer.pending and not self._tls.pending():
                    return None, False
        except ssl.SSLWantReadError:
            return None, False
        except ssl.SSLZeroReturnError:
            return None, True
        except ssl.SSLError as exc:
            return exc, False
        return None, True

    def _end(self) -> None:
        if not self._shaken.done():
            self._from_peer.write_eof()
            self._shake()
        elif self._from_peer.pending:  # an alert that came in one read with the handshake's end
            self._take(b"", self.floor_ns, now_ns())
        if not self.closed and self._shaken.exception() is None:
            super()._end()

    def _fail(self, exc: OSError) -> None:
        if not self._shaken.done():
            self._shaken.set_exception(exc)
        super()._fail(exc)
