"""Receive stamps taken by the Linux kernel, moved onto the clock of ``now_ns``.

The kernel stamps a packet when it arrives, so a busy event loop does not make the peer look slow.
TCP hands out the stamp of the last packet in a read: socket(7), SO_TIMESTAMPNS.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

from providers.measurement import now_ns

# asm-generic/socket.h; the architectures with other numbers refuse the option or send no such cmsg.
SO_TIMESTAMPNS = 35
OFFSET_LIFE_NS = 5_000_000
ANCILLARY_BYTES = socket.CMSG_SPACE(16)

_SOL_SOCKET = socket.SOL_SOCKET
_unpack_timespec = struct.Struct("=qq").unpack
# A clock pair read further apart than this was interrupted between its two halves.
_TORN_PAIR_NS = 5_000

Ancillary = list[tuple[int, int, bytes]]


def enable(sock: socket.socket) -> bool:
    """Ask the kernel for receive stamps; False where there are none."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def keep_enabled() -> socket.socket:
    """A socket to hold open: the kernel starts stamping late and stops with the last one who asked.

    Without it the first packets of a lone connection go unstamped (net_enable_timestamp is
    deferred to a work queue).
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    enable(sock)
    return sock


def arrival_ns(ancillary: Ancillary, floor_ns: int, read_ns: int) -> int:
    """When the packet arrived, on the clock of ``now_ns``; ``read_ns`` when the kernel is silent.

    Bytes arrive in order and before they are read, so the answer is kept within ``floor_ns`` (the
    stamp before this one) and ``read_ns``: a step of the wall clock cannot move it further.
    Packets that wait unread may be merged under the stamp of the newest.
    """
    for level, kind, payload in ancillary:
        if kind == SO_TIMESTAMPNS and level == _SOL_SOCKET and len(payload) == 16:
            seconds, nanoseconds = _unpack_timespec(payload)
            if read_ns >= _offset.until_ns:
                _offset.renew(read_ns)
            arrived_ns: int = seconds * 1_000_000_000 + nanoseconds - _offset.ns
            # Not min() and max(): this runs for every token.
            if arrived_ns > read_ns:
                return read_ns
            return arrived_ns if arrived_ns > floor_ns else floor_ns
    return read_ns


class _WallOffset:
    """Wall clock minus ``now_ns``, read anew every few milliseconds.

    NTP slews the wall clock by at most 0.5 per mille, which is 2.5 us in that time.
    """

    def __init__(self) -> None:
        self.ns = 0
        self.until_ns = 0

    def renew(self, at_ns: int) -> None:
        self.ns = _wall_offset_ns()
        self.until_ns = at_ns + OFFSET_LIFE_NS


_offset = _WallOffset()


def _wall_offset_ns() -> int:
    """Wall clock minus ``now_ns``, from a pair of readings that nothing came between."""
    for _ in range(4):
        before = now_ns()
        wall = time.time_ns()
        after = now_ns()
        if after - before < _TORN_PAIR_NS:
            break
    return wall - (before + after) // 2
