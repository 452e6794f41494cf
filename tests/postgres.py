"""A PostgreSQL of one's own, in a temporary directory, where the machine has one installed."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

USER = "arguslm"


def binary(name: str) -> str | None:
    """Debian keeps the server's programs off the PATH, one directory for each version."""
    found = shutil.which(name)
    known = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found or (known[-1] if known else None)


def is_installed() -> bool:
    return binary("initdb") is not None and binary("pg_ctl") is not None


class Cluster:
    """A server with databases of its own, that can be stopped and started again."""

    def __init__(self, place: Path, options: tuple[str, ...] = ()) -> None:
        self._run = _runner(place)
        self._data = str(place / "data")
        self._log = str(place / "log")
        self._port = _free_port()
        own = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {place}"
        self._options = " ".join([own, *options])
        init = ("-D", self._data, "-U", USER, "--auth=trust", "-E", "UTF8", "-N")
        self._run(binary("initdb"), *init)

    def start(self) -> None:
        self._control("-o", self._options, "-l", self._log, "start")

    def stop(self) -> None:
        """At once, as a crash would."""
        self._control("-m", "immediate", "stop")

    def url(self, database: str = "postgres") -> str:
        return f"postgres://{USER}@127.0.0.1:{self._port}/{database}"

    def make_database(self) -> str:
        """The URL of a new, empty one."""
        name = f"made_{uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def _control(self, *words: str) -> None:
        self._run(binary("pg_ctl"), "-D", self._data, "-w", *words)


@contextmanager
def running_cluster(*options: str) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="arguslm-pg-", dir="/tmp") as name:
        place = Path(name)
        cluster = Cluster(place, options)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def running_postgres(*options: str) -> Iterator[str]:
    """The URL of an empty database; the server ends with the block."""
    with running_cluster(*options) as cluster:
        yield cluster.url()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _runner(place: Path) -> Callable[..., None]:
    """PostgreSQL refuses to run as root: it is then run by somebody with no rights at all."""
    as_somebody: list[str] = []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
        as_somebody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}"]
        as_somebody.append("--clear-groups")

    def run(*command: str | None) -> None:
        # Its output must not be a pipe: the server would inherit and hold it.
        words = [*as_somebody, *(word or "" for word in command)]
        with Path(place, "output").open("ab") as output:
            subprocess.run(words, check=True, stdout=output, stderr=output, cwd="/tmp")

    return run
