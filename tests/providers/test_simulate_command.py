from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.core.management import CommandError, call_command

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_and_stops_when_told(
    number: signal.Signals, tmp_path: Path
) -> None:
    log = tmp_path / "writes.jsonl"
    command = [sys.executable, "manage.py", "simulate", "--port", "0", "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        with urlopen(f"{url}/v1/models", timeout=5) as reply:
            listed = [row["id"] for row in json.load(reply)["data"]]
        process.send_signal(number)
        printed = process.stdout.read()

    assert process.returncode == 0
    assert "sim-steady" in listed
    assert printed.count("curl -N") == 2
    assert json.loads(log.read_text())["path"] == "/v1/models"


def test_a_models_file_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text('{"quick": {"speed": 3}}')

    with pytest.raises(CommandError, match="Unknown behaviour field 'speed'"):
        call_command("simulate", models=path)


def test_a_place_where_nobody_can_listen_is_a_sentence() -> None:
    with pytest.raises(CommandError, match=r"Cannot listen on .* port 99999"):
        call_command("simulate", port=99999)
