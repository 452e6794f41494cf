from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pytest

from arguslm.embedded import console as module
from arguslm.embedded.console import Console


class ClosedPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_colour_is_used_only_when_asked_for(tmp_path: Path) -> None:
    plain, coloured = io.StringIO(), io.StringIO()

    for terminal, colour in ((plain, False), (coloured, True)):
        with closing(Console(tmp_path, terminal, colour)) as console:
            console.line("web", "hello")

    assert plain.getvalue() == "web    | hello\n"
    assert coloured.getvalue() == "\033[32mweb    |\033[0m hello\n"


def test_files_go_on_when_the_terminal_is_gone(tmp_path: Path) -> None:
    with closing(Console(tmp_path, ClosedPipe(), colour=False)) as console:
        console.line("web", "one")
        console.line("web", "two")

    assert (tmp_path / "web.log").read_text() == "one\ntwo\n"


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 1_000)
    with closing(Console(tmp_path, io.StringIO(), colour=False)) as console:
        for number in range(1_000):
            console.line("web", f"line {number:04}")

    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 4
    assert max(sizes) <= 1_000
