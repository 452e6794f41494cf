from __future__ import annotations

from base64 import b64encode

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from arguslm.api import access, checks
from arguslm.api.models import ApiToken
from arguslm.api.origin import is_foreign

pytestmark = pytest.mark.django_db
URL = "/api/v1/providers"


def status_with(api: APIClient, plain: str) -> int:
    return api.get(URL, headers={"Authorization": f"Bearer {plain}"}).status_code


def test_on_loopback_the_api_is_open(api: APIClient) -> None:
    assert api.get(URL).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [("REMOTE_ADDR", "192.0.2.7"), ("HTTP_X_FORWARDED_FOR", "192.0.2.7")],
)
def test_a_caller_from_elsewhere_needs_a_token_even_then(
    api: APIClient, name: str, value: str
) -> None:
    api.defaults[name] = value
    answer = api.get(URL)
    assert answer.status_code == 401
    assert answer.json() == {
        "detail": "An API token is needed: send it as 'Authorization: Bearer <token>'.",
        "errors": {},
    }


@pytest.mark.parametrize("names", [["0.0.0.0", "localhost"], ["127.0.0.1", "argus.example"]])
def test_listening_for_others_asks_everybody_for_a_token(
    api: APIClient, settings: Settings, names: list[str]
) -> None:
    settings.REACHABLE_AS = names
    assert api.get(URL).status_code == 401


def test_a_token_opens_the_api_and_its_last_use_is_known(
    api: APIClient, settings: Settings
) -> None:
    settings.API_AUTH = "required"
    token, plain = ApiToken.issue("ci")
    assert api.get(URL).status_code == 401
    assert status_with(api, "argus_wrong") == 401
    assert status_with(api, plain) == 200
    token.refresh_from_db()
    assert token.last_used_at is not None


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        ("Bearer argus_abc", "argus_abc"),
        ("bearer  anything ", "anything"),
        (basic("any", "argus_abc"), "argus_abc"),
        (basic("", "argus_a:b"), "argus_a:b"),
        (basic("proxy", "a password"), None),
        ("Basic %%%", None),
        ("Basic /w==", None),
        ("Bearer ", None),
        ("Token argus_abc", None),
        ("", None),
    ],
)
def test_a_token_comes_as_bearer_or_as_a_password(authorization: str, token: str | None) -> None:
    assert access.token_in(authorization) == token


def test_a_client_that_only_takes_an_address_can_name_its_token_there(
    api: APIClient, settings: Settings
) -> None:
    settings.API_AUTH = "required"
    _, plain = ApiToken.issue("ci")
    assert api.get(URL, headers={"Authorization": basic("token", plain)}).status_code == 200
    assert api.get(URL, headers={"Authorization": basic("token", "argus_x")}).status_code == 401


def test_a_token_is_stored_as_a_digest_only() -> None:
    token, plain = ApiToken.issue("ci")
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    assert plain not in str(row)
    assert ApiToken.find(plain) == token


def test_none_is_said_aloud_and_auto_never_opens_to_others(settings: Settings) -> None:
    settings.REACHABLE_AS, settings.API_AUTH = ["0.0.0.0"], "none"
    assert [found.id for found in checks.open_api_is_meant()] == ["arguslm.W001"]
    assert access.is_open_to("192.0.2.7", set())
    settings.API_AUTH = "auto"
    assert not access.is_open_to("127.0.0.1", set())


def test_an_unknown_auth_mode_refuses_to_start(settings: Settings) -> None:
    settings.API_AUTH = "maybe"
    assert [found.id for found in checks.api_auth_is_safe()] == ["arguslm.E001"]


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("ALLOWED_HOSTS", ["https://argus.example"], "arguslm.E003"),
        ("ALLOWED_HOSTS", ["argus.example:8000"], "arguslm.E003"),
        ("PUBLIC_URL", "argus.example", "arguslm.E006"),
        ("EXTERNAL_REDIS_URL", "localhost:6379", "arguslm.E007"),
    ],
)
def test_an_address_that_cannot_be_meant_refuses_to_start(
    settings: Settings, name: str, value: object, check: str
) -> None:
    assert checks.addresses_are_usable() == []
    setattr(settings, name, value)
    assert [found.id for found in checks.addresses_are_usable()] == [check]


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        ("http://localhost:8000", False),
        ("https://evil.example", True),
        ("http://localhost:9000", True),
        ("null", True),
        ("chrome-extension://abc", True),
    ],
)
def test_only_our_own_pages_are_no_foreign_origin(origin: str, foreign: bool) -> None:
    assert is_foreign(origin, "localhost:8000") is foreign


def test_a_foreign_page_may_read_nothing_and_change_nothing(api: APIClient) -> None:
    answer = api.post(URL, {}, format="json", HTTP_ORIGIN="https://evil.example")
    assert answer.status_code == 403
    assert "another origin" in answer.json()["detail"]


def test_an_unknown_host_name_is_refused(api: APIClient) -> None:
    answer = api.get(URL, HTTP_HOST="rebound.example")
    assert answer.status_code == 400


def test_the_command_makes_lists_and_revokes_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("token", "create", "ci")
    plain = capsys.readouterr().out.strip()
    assert ApiToken.find(plain) is not None
    call_command("token", "list")
    listed = capsys.readouterr().out
    assert "ci" in listed
    assert plain not in listed
    call_command("token", "revoke", "ci")
    assert ApiToken.find(plain) is None
    with pytest.raises(CommandError, match="no token named"):
        call_command("token", "revoke", "ci")
