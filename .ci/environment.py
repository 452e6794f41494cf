"""Creates .venv and installs a lock file into it; instant when that has been done before."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# requirements-dev.txt is locked on top of requirements.txt and holds all of it.
CONTAINED = {
    "requirements.txt": ["requirements.txt"],
    "requirements-dev.txt": ["requirements-dev.txt", "requirements.txt"],
}


def main(lock_name: str) -> None:
    if _is_installed(lock_name):
        return
    # Two makes at once: the second one waits here and then finds everything done.
    directory = os.open(ROOT / ".ci", os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    if not _is_installed(lock_name):
        _install(lock_name)


def _is_installed(lock_name: str) -> bool:
    stamp = _stamp(lock_name)
    return PYTHON.exists() and stamp.exists() and stamp.read_text() == _digest(lock_name)


def _install(lock_name: str) -> None:
    print(f"Installing {lock_name} into .venv (a minute or two the first time)", file=sys.stderr)
    if not _works():
        _run(sys.executable, "-m", "venv", "--clear", str(VENV))
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run(*pip, "install", "--require-hashes", "-r", str(ROOT / lock_name))
    for contained in CONTAINED[lock_name]:
        _stamp(contained).write_text(_digest(contained))


def _works() -> bool:
    if not PYTHON.exists():
        return False
    tried = subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True)  # noqa: S603
    return tried.returncode == 0


def _run(*command: str) -> None:
    code = subprocess.run(command).returncode  # noqa: S603 - our own commands
    if code:
        sys.exit(code)


def _stamp(lock_name: str) -> Path:
    return VENV / f".installed-{lock_name}"


def _digest(lock_name: str) -> str:
    return hashlib.sha256((ROOT / lock_name).read_bytes()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1])
