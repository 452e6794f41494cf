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

USER = "arguslm"


def binary(name: str) -> str | None:
    """Debian keeps the server's programs off the PATH, one directory for each version."""
    found = shutil.which(name)
    known = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found or (known[-1] if known else None)


def is_installed() -> bool:
    return binary("initdb") is not None and binary("pg_ctl") is not None


@contextmanager
def running_postgres(*options: str) -> Iterator[str]:
    """The URL of an empty database; the server ends with the block."""
    with tempfile.TemporaryDirectory(prefix="arguslm-pg-", dir="/tmp") as place:
        port = _free_port()
        data = Path(place, "data")
        run = _runner(Path(place))
        run(binary("initdb"), "-D", str(data), "-U", USER, "--auth=trust", "-E", "UTF8", "-N")
        own = [f"-p {port} -c listen_addresses=127.0.0.1 -k {place}", *options]
        start = ["-D", str(data), "-o", " ".join(own), "-l", str(Path(place, "log")), "-w"]
        run(binary("pg_ctl"), *start, "start")
        try:
            yield f"postgres://{USER}@127.0.0.1:{port}/postgres"
        finally:
            run(binary("pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")


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
