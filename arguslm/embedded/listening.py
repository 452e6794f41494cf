from __future__ import annotations

import errno
import socket
from collections.abc import Collection

from arguslm.embedded.errors import StartRefused
from arguslm.environment import address_of

BACKLOG = 512
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - translated, never bound


def open_socket(host: str, port: int) -> socket.socket:
    """The socket that the web process inherits: connections wait in it while web restarts."""
    bare = host.strip("[]")
    try:
        found = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        listening = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise StartRefused(_reason(host, port, error)) from error
    listening.setblocking(False)
    return listening


def local_address(listening: socket.socket) -> tuple[str, int]:
    """Where this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    return LOOPBACK_OF.get(host, host), port


def url_of(listening: socket.socket) -> str:
    return address_of(*local_address(listening))


def accepted_host(allowed_hosts: Collection[str], host: str) -> str:
    """A Host header that Django will take: our own address if it may be used."""
    own = f"[{host}]" if ":" in host else host
    if "*" in allowed_hosts or own in allowed_hosts:
        return own
    return next(iter(allowed_hosts)).lstrip(".")


def _reason(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: stop what uses it, or set ARGUSLM_PORT."
    if error.errno == errno.EACCES:
        return f"This user may not listen on {where}: set ARGUSLM_PORT to 1024 or above."
    return f"Cannot listen on {where} ({error.strerror}): set ARGUSLM_HOST or ARGUSLM_PORT."
