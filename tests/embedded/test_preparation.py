from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.checks import Error, Warning
from pytest_django import Settings

from arguslm.embedded import preparation
from arguslm.embedded.errors import StartRefused


@pytest.mark.django_db
def test_the_first_account_can_sign_in_to_the_admin() -> None:
    assert preparation.create_admin("ops", "correct horse")

    user = User.objects.get(username="ops")
    assert user.is_superuser
    assert user.check_password("correct horse")
    assert preparation.has_admin()


@pytest.mark.django_db
def test_an_existing_account_keeps_its_password() -> None:
    preparation.create_admin("ops", "first")

    assert not preparation.create_admin("ops", "second")
    assert User.objects.get(username="ops").check_password("first")


@pytest.mark.django_db
def test_without_a_password_no_account_is_made() -> None:
    assert not preparation.create_admin("admin", "")
    assert not preparation.has_admin()


@pytest.mark.django_db
def test_a_migrated_database_needs_no_migration() -> None:
    assert preparation.migrate() == 0


def test_static_files_are_collected_once(tmp_path: Path, settings: Settings) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_DIRS = []

    assert preparation.collect_static()
    assert (tmp_path / "admin/css/base.css").exists()
    assert not preparation.collect_static()


def test_a_serious_check_refuses_the_start_with_message_and_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [Warning("Mind this.", id="t.W1"), Error("This is wrong.", hint="Do that.", id="t.E1")]
    monkeypatch.setattr("django.core.checks.run_checks", lambda: found)

    with pytest.raises(StartRefused, match=r"^This is wrong\. Do that\.$"):
        preparation.check_settings()


def test_warnings_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Warning("Mind this.", hint="Or that.", id="t.W1")]
    monkeypatch.setattr("django.core.checks.run_checks", lambda: found)

    assert preparation.check_settings() == ["Mind this. Or that."]
