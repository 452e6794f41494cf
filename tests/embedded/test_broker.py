from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import stat
from pathlib import Path

import pytest
import redis

from arguslm.embedded.broker import (
    Broker,
    BrokerUnavailable,
    broker_url,
    find_server,
    running_broker,
)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].removesuffix("/0"))


def test_the_broker_keeps_what_was_written_over_a_restart(tmp_path: Path) -> None:
    with running_broker(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.set("k", "v")

    with running_broker(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.get("k") == b"v"


def test_the_broker_never_evicts_and_appends_to_a_file(tmp_path: Path) -> None:
    with running_broker(tmp_path) as url, redis.Redis.from_url(url) as client:
        settings = client.config_get("*")

    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["bind"] == "127.0.0.1"


def test_the_broker_refuses_a_client_without_the_password(tmp_path: Path) -> None:
    with (
        running_broker(tmp_path) as url,
        socket.create_connection(("127.0.0.1", port_of(url))) as connection,
    ):
        connection.sendall(b"PING\r\n")

        assert connection.recv(100).startswith(b"-NOAUTH")


def test_the_port_and_the_password_stay_over_a_restart(tmp_path: Path) -> None:
    assert Broker.prepare(tmp_path).url == Broker.prepare(tmp_path).url


def test_a_port_that_somebody_took_is_left_to_them(tmp_path: Path) -> None:
    first = Broker.prepare(tmp_path)

    with socket.create_server(("127.0.0.1", first.port)):
        second = Broker.prepare(tmp_path)

    assert second.port != first.port
    assert second.password == first.password


def test_a_foreign_server_on_the_port_does_not_count_as_ours(tmp_path: Path) -> None:
    ours = Broker.prepare(tmp_path / "ours")
    with running_broker(tmp_path / "theirs") as url:
        mistaken = Broker(ours.data_dir, ours.binary, port_of(url), ours.password)

        assert not mistaken.answers()


def test_the_password_is_in_private_files_and_in_no_repr_or_command(tmp_path: Path) -> None:
    broker = Broker.prepare(tmp_path)
    broker.publish()

    for path in (broker.config_file, tmp_path / "run" / "redis.url"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert broker.password not in repr(broker) + str(broker.command)


def test_the_url_is_known_while_published(tmp_path: Path) -> None:
    broker = Broker.prepare(tmp_path)
    before = broker_url(tmp_path)

    broker.publish()
    published = broker_url(tmp_path)
    broker.withdraw()

    assert (before, published, broker_url(tmp_path)) == (None, broker.url, None)


def test_a_data_directory_with_odd_characters_works(tmp_path: Path) -> None:
    with running_broker(tmp_path / 'a "b" c\\d') as url, redis.Redis.from_url(url) as client:
        assert client.ping()


def test_without_the_wheel_a_server_on_path_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(find_server(), tmp_path / "redis-server")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert find_server() == tmp_path / "redis-server"


def test_without_any_server_the_refusal_asks_for_redis_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BrokerUnavailable, match="REDIS_URL"):
        find_server()


def test_a_binary_that_does_not_run_here_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("not an executable format")
    broken.chmod(0o755)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BrokerUnavailable):
        find_server()
