from __future__ import annotations

import os
from pathlib import Path

import pytest

from arguslm.embedded.lock import DataDirectoryBusy, owned


def test_a_second_owner_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with (
        owned(tmp_path),
        pytest.raises(DataDirectoryBusy, match=r"^ArgusLM is already running on \S+\.$"),
        owned(tmp_path),
    ):
        pass


def test_the_directory_is_free_again_after_the_block(tmp_path: Path) -> None:
    with owned(tmp_path):
        pass

    with owned(tmp_path):
        pass


def test_a_new_owner_waits_for_the_watchdog_of_a_killed_one(tmp_path: Path) -> None:
    with owned(tmp_path) as cleanup_lock:
        held_by_watchdog = os.dup(cleanup_lock)

    with pytest.raises(DataDirectoryBusy, match="earlier run"), owned(tmp_path, patience_s=0.1):
        pass
    os.close(held_by_watchdog)
    with owned(tmp_path, patience_s=0.1):
        pass
