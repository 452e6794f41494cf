from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from arguslm.embedded.keys import KeyFileUnusable, Keys, load_or_create


def test_the_encryption_key_is_a_fernet_key(tmp_path: Path) -> None:
    keys = load_or_create(tmp_path)

    fernet = Fernet(keys.encryption_key)

    assert fernet.decrypt(fernet.encrypt(b"sk-1")) == b"sk-1"


def test_the_secret_key_is_long_enough_for_django(tmp_path: Path) -> None:
    assert len(load_or_create(tmp_path).secret_key) >= 50


def test_a_second_load_returns_the_same_keys(tmp_path: Path) -> None:
    assert load_or_create(tmp_path) == load_or_create(tmp_path)


def test_two_data_directories_have_different_keys(tmp_path: Path) -> None:
    first, second = load_or_create(tmp_path / "a"), load_or_create(tmp_path / "b")

    assert first.secret_key != second.secret_key
    assert first.encryption_key != second.encryption_key


def test_only_the_owner_can_read_the_key_files(tmp_path: Path) -> None:
    load_or_create(tmp_path)

    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "keys").iterdir()}
    assert modes == {"secret_key": 0o600, "encryption_key": 0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_keys_do_not_show_in_their_repr(tmp_path: Path) -> None:
    keys = load_or_create(tmp_path)

    assert repr(keys) == "Keys()"


def test_an_empty_key_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    path = tmp_path / "keys" / "encryption_key"
    path.write_text("")

    with pytest.raises(KeyFileUnusable):
        load_or_create(tmp_path)
    assert path.read_text() == ""


def test_processes_that_race_for_the_first_start_agree(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    with fork.Pool(8) as pool:
        found: list[Keys] = pool.map(load_or_create, [tmp_path] * 64, chunksize=1)

    assert len({(keys.secret_key, keys.encryption_key) for keys in found}) == 1
    assert sorted(p.name for p in (tmp_path / "keys").iterdir()) == ["encryption_key", "secret_key"]
