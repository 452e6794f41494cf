from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from typing import Protocol, cast

from providers.simulator.http1 import CONTINUE, Request, RequestReader, RequestRefused
from providers.simulator.journal import Journal, RequestRecord
from providers.simulator.metronome import Metronome
from providers.simulator.script import Ending, Frame, Script

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Stage(Protocol):
    """What a connection needs of the simulator it belongs to."""

    loop: asyncio.AbstractEventLoop
    metronome: Metronome
    journal: Journal
    connections: set[Connection]

    @property
    def is_open(self) -> bool: ...

    def record(self, request: Request, connection: Connection) -> RequestRecord: ...

    def script(self, request: Request, record: RequestRecord, connection: Connection) -> Script: ...

    def refusal(self, status: int, message: str) -> bytes: ...


class Connection(asyncio.Protocol):
    """One client's socket: requests come in one after another, each is played to its end."""

    def __init__(self, stage: Stage, number: int, max_body_bytes: int) -> None:
        self.number = number
        self.served = 0
        self.accepted_ns = 0
        self.closed = stage.loop.create_future()
        self._stage = stage
        self._reader = RequestReader(max_body_bytes)
        self._playback: Playback | None = None
        self._transport: asyncio.Transport
        self._fd = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.accepted_ns = time.perf_counter_ns()
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._fd = sock.fileno()
        self._stage.connections.add(self)
        if not self._stage.is_open:
            self.abort()

    def data_received(self, data: bytes) -> None:
        read_ns = time.perf_counter_ns()
        try:
            self._reader.feed(data)
            if self._playback is None:
                self._serve(read_ns)
        except RequestRefused as exc:
            self._refuse(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fd = -1
        self._stage.connections.discard(self)
        self.closed.set_result(None)
        if self._playback is not None:
            self._playback.abandon()

    @property
    def peer(self) -> str:
        address = self._transport.get_extra_info("peername")
        return str(address[0]) if address else ""

    def abort(self) -> None:
        self._fd = -1
        self._transport.abort()

    def send(self, data: bytes) -> bool:
        """Write now, past the transport's own queue; False when the kernel did not take it all.

        uvloop queues `transport.write` until the end of its turn, so a stamp beside it would lie.
        """
        sent = 0
        if self._fd < 0 or self._transport.is_closing():
            return True
        if not self._transport.get_write_buffer_size():
            try:
                sent = os.write(self._fd, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.abort()
                return True
        if sent == len(data):
            return True
        self._transport.write(data[sent:])
        return False

    def ended(self, ending: Ending) -> None:
        """The response is out: keep the connection for the next request, or end it as asked."""
        self._playback = None
        if ending is Ending.RESET:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.abort()
        elif ending is Ending.CLOSE:
            self._close()
        elif self._reader.has_bytes():
            self._stage.loop.call_soon(self._resume)

    def _resume(self) -> None:
        if self._playback is None and self._fd >= 0:
            self.data_received(b"")

    def _serve(self, read_ns: int) -> None:
        request = self._reader.next()
        if request is None:
            if self._reader.take_expectation():
                self.send(CONTINUE)
            return
        self.served += 1
        record = self._stage.record(request, self)
        record.t_request_read = read_ns
        script = self._stage.script(request, record, self)
        self._playback = Playback(self, script, record, self._stage, request.keep_alive)
        self._playback.start()

    def _refuse(self, refused: RequestRefused) -> None:
        self.send(self._stage.refusal(refused.status, refused.message))
        self._close()

    def _close(self) -> None:
        self._fd = -1
        self._transport.close()


class Playback:
    """One response on its way: writes each frame when it is due and notes when it truly did."""

    def __init__(
        self,
        connection: Connection,
        script: Script,
        record: RequestRecord,
        stage: Stage,
        keep_alive: bool,
    ) -> None:
        self._connection = connection
        self._script = script
        self._frames = script.frames
        self._record = record
        self._stage = stage
        self._keep_alive = keep_alive
        self._id = record.request_id.encode()
        self._base_ns = record.t_request_read
        self._index = 0
        self._gone = False

    def start(self) -> None:
        self._record.status = self._script.status
        if not self._frames:
            self._record.outcome = self._script.ending
            return
        due: int | None = self._base_ns + self._frames[0].due_ns
        while due is not None and due <= time.perf_counter_ns():
            due = self.play()
        if due is not None:
            self._stage.metronome.at(due, self)

    def play(self) -> int | None:
        if self._gone:
            return None
        frame = self._frames[self._index]
        self._index += 1
        data = self._id.join(frame.parts)
        before = time.perf_counter_ns()
        whole = self._connection.send(data)
        self._note(frame, before, time.perf_counter_ns(), whole)
        if self._index == len(self._frames):
            self._end()
            return None
        return self._base_ns + self._frames[self._index].due_ns

    def abandon(self) -> None:
        """The client has gone, or the simulator stops."""
        if not self._gone:
            ending = self._record.outcome
            self._finish("client_gone" if ending == "open" else ending)

    def _note(self, frame: Frame, before: int, after: int, whole: bool) -> None:
        record = self._record
        if record.t_head_write is None:
            record.t_head_write = before
        if frame.contents:
            record.writes.extend([before] * frame.contents)
        record.tokens = frame.tokens
        record.queued_writes += not whole
        record.worst_late_ns = max(record.worst_late_ns, before - self._base_ns - frame.due_ns)
        record.longest_write_ns = max(record.longest_write_ns, after - before)

    def _end(self) -> None:
        ending = self._script.ending
        if ending is Ending.HANG:
            self._record.outcome = "hang"
            return
        self._finish("done" if ending is Ending.KEEP else ending)
        keep = ending is not Ending.KEEP or self._keep_alive
        self._connection.ended(ending if keep else Ending.CLOSE)

    def _finish(self, outcome: str) -> None:
        self._gone = True
        self._record.t_done = time.perf_counter_ns()
        self._record.outcome = str(outcome)
        self._stage.journal.finish(self._record)
