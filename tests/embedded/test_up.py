from __future__ import annotations

import http.client
import os
import re
import signal
import stat
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from arguslm.embedded.broker import broker_url
from tests.embedded.house import (
    House,
    family,
    is_alive,
    refusal,
    running_house,
    start,
    wait_until,
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data_dir = tmp_path_factory.mktemp("house") / "data"
    with running_house(data_dir, ARGUSLM_ADMIN_PASSWORD="correct horse") as house:
        yield house


def test_it_ends_its_start_with_three_lines(house: House) -> None:
    ready, admin, following = house.lines

    assert re.fullmatch(r"ArgusLM is ready: http://127\.0\.0\.1:\d+", ready)
    assert admin == f"Admin: {house.url}/admin/ - sign in with your account"
    assert following.startswith("Next: add a provider")


def test_health_answers_when_the_lines_are_out(house: House) -> None:
    with urllib.request.urlopen(f"{house.url}/health", timeout=5) as response:
        assert response.status == 200


def test_the_answer_to_head_has_no_body_that_the_next_answer_would_begin_with(house: House) -> None:
    where = house.url.rpartition("/")[2]
    with closing(http.client.HTTPConnection(where, timeout=20)) as connection:
        for path in ("/openapi.json", "/api/v1/monitoring/uptime/export?format=json"):
            connection.request("HEAD", path)
            assert connection.getresponse().read() == b""
            connection.request("GET", "/health")
            assert connection.getresponse().read() == b'{"status":"healthy"}'


def test_a_stream_that_does_not_exist_is_refused_with_a_close_code(house: House) -> None:
    with (
        connect(house.url.replace("http", "ws") + "/api/v1/nothing") as socket,
        pytest.raises(ConnectionClosed) as closed,
    ):
        socket.recv(timeout=20)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4404


def test_a_second_start_on_the_same_data_is_refused_in_one_sentence(house: House) -> None:
    code, errors = refusal(house.data_dir)

    assert (code, errors) == (1, f"ArgusLM is already running on {house.data_dir}.\n")


def test_a_taken_port_is_refused_before_anything_is_started(house: House, tmp_path: Path) -> None:
    port = house.url.rpartition(":")[2]

    code, errors = refusal(tmp_path, ARGUSLM_PORT=port)

    assert code == 1
    assert errors.startswith(f"Port {port} on 127.0.0.1 is taken")
    assert errors.count("\n") == 1
    assert not (tmp_path / "broker").exists()


@pytest.mark.parametrize("marker", ["embedded.web", "celery -q -A arguslm worker", "valkey-server"])
def test_a_killed_child_is_started_again(house: House, marker: str) -> None:
    killed = house.child(marker)
    assert killed is not None

    os.kill(killed, signal.SIGKILL)

    assert wait_until(lambda: house.child(marker) not in (None, killed))
    with urllib.request.urlopen(f"{house.url}/health", timeout=20) as response:
        assert response.status == 200


def test_the_published_broker_is_the_running_one(house: House) -> None:
    url = broker_url(house.data_dir)
    assert url is not None

    with redis.Redis.from_url(url) as client:
        assert client.ping()


def test_what_it_writes_is_for_its_owner_alone(house: House) -> None:
    written = [
        house.data_dir / name for name in ("arguslm.sqlite3", "logs/up.log", "run/redis.url")
    ]

    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}


def test_no_secret_is_printed_or_logged(house: House) -> None:
    url = broker_url(house.data_dir) or ""
    secrets = [path.read_text().strip() for path in (house.data_dir / "keys").iterdir()]
    secrets += ["correct horse", url.partition("@")[0].rpartition(":")[2]]

    printed = (house.data_dir / "stderr").read_text() + "".join(house.lines)
    logged = "".join(path.read_text() for path in (house.data_dir / "logs").iterdir())
    assert [secret for secret in secrets if secret in printed + logged] == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows it")
def test_the_password_of_the_first_account_is_handed_to_no_child(house: House) -> None:
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in family(house.process.pid)]

    assert len(environments) == 6
    assert not any(b"correct horse" in environment for environment in environments)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows it")
def test_links_name_the_port_that_was_found_where_any_was_asked_for(house: House) -> None:
    found = house.url.rpartition(":")[2]
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in family(house.process.pid)]

    settings = {setting for each in environments for setting in each.split(b"\0")}
    ports = {setting for setting in settings if setting.startswith(b"ARGUSLM_PORT=")}
    assert ports == {f"ARGUSLM_PORT={found}".encode()}


def test_sigterm_stops_everything_within_ten_seconds(tmp_path: Path) -> None:
    with running_house(tmp_path / "data") as house:
        children = family(house.process.pid)
        asked_at = time.monotonic()
        house.process.send_signal(signal.SIGTERM)

        assert house.process.wait(timeout=15) == 0
        assert time.monotonic() - asked_at < 10
    assert len(children) == 6
    assert not any(map(is_alive, children))
    assert broker_url(house.data_dir) is None


def test_kill_9_leaves_no_process_behind_and_the_next_start_works(tmp_path: Path) -> None:
    with running_house(tmp_path / "data") as house:
        children = family(house.process.pid)
        house.process.kill()
        house.process.wait()

        assert len(children) == 6
        assert wait_until(lambda: not any(map(is_alive, children)), timeout_s=10)
    with running_house(tmp_path / "data") as again:
        assert again.lines[0].startswith("ArgusLM is ready")


def test_sigint_during_the_start_stops_cleanly(tmp_path: Path) -> None:
    with start(tmp_path / "data") as process:
        assert wait_until(lambda: broker_url(tmp_path / "data") is not None)
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=10) == 0
    assert family(process.pid) == []


@pytest.mark.parametrize("name", ["API_AUTH", "ARGUSLM_PORT", "LOG_LEVEL", "EMAIL_URL"])
def test_wrong_settings_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    code, errors = refusal(tmp_path, **{name: "maybe"})

    assert code == 1
    assert errors.startswith(name)
    assert errors.count("\n") == 1
    assert not (tmp_path / "broker").exists()


def test_a_command_on_a_database_without_tables_says_what_to_do(tmp_path: Path) -> None:
    code, errors = refusal(tmp_path, "token", "create", "laptop")

    assert code == 1
    assert errors.splitlines() == [
        "The database cannot be used: no such table: api_apitoken",
        "If it is new: start the server once (make run), or run 'python manage.py migrate'.",
    ]
