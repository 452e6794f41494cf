from __future__ import annotations

import socket

import pytest

from arguslm.embedded.errors import StartRefused
from arguslm.embedded.listening import accepted_host, open_socket, url_of


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
    ],
)
def test_the_url_is_one_that_this_machine_can_open(host: str, shown: str) -> None:
    with open_socket(host, 0) as listening:
        port = listening.getsockname()[1]

        assert url_of(listening) == f"http://{shown}:{port}"
        socket.create_connection((shown.strip("[]"), port), timeout=2).close()


def test_a_taken_port_is_named() -> None:
    with open_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]

        with pytest.raises(StartRefused, match=rf"^Port {port} on 127.0.0.1 is taken: .*ARGUSLM_P"):
            open_socket("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.1"])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(StartRefused, match=f"Cannot listen on {host}:0 "):
        open_socket(host, 0)


@pytest.mark.parametrize(
    ("allowed", "host", "header"),
    [
        (["localhost", "127.0.0.1"], "127.0.0.1", "127.0.0.1"),
        (["*"], "127.0.0.1", "127.0.0.1"),
        (["[::1]"], "::1", "[::1]"),
        (["argus.example.org"], "127.0.0.1", "argus.example.org"),
        ([".example.org"], "127.0.0.1", "example.org"),
    ],
)
def test_the_health_request_uses_a_name_that_is_allowed(
    allowed: list[str], host: str, header: str
) -> None:
    assert accepted_host(allowed, host) == header
