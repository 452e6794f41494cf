"""Addresses that lead nowhere, and pages that break."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from arguslm.dashboard.access import CONTENT_SECURITY_POLICY
from arguslm.dashboard.views.frame import broken
from tests.make import make_alert

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["models", "benchmarks", "providers"])
def test_an_unknown_address_is_a_page_too(browser: Client, kind: str) -> None:
    answer = browser.get(f"/{kind}/00000000-0000-7000-8000-00000000dead")
    assert answer.status_code == 404
    assert "There is no such" in answer.content.decode()


def test_an_address_that_leads_nowhere_is_a_page_for_people(browser: Client) -> None:
    answer = browser.get("/nothing/here")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()
    assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("path", "accept"), [("/api/v1/nothing", "text/html"), ("/nothing", "*/*")]
)
def test_an_address_that_leads_nowhere_is_json_for_programs(
    browser: Client, path: str, accept: str
) -> None:
    answer = browser.get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    assert "There is nothing at" in answer.json()["detail"]


def test_a_stranger_learns_nothing_from_a_wrong_address(
    browser: Client, settings: Settings
) -> None:
    settings.API_AUTH = "required"
    make_alert()
    text = browser.get("/nothing").content.decode()
    assert "There is nothing at this address" in text
    assert "badge" not in text


def test_a_broken_page_is_a_page_that_reads_nothing(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = broken(rf.get("/overview", headers={"Accept": "text/html"}))
        data = broken(rf.get("/api/v1/models", headers={"Accept": "text/html"}))
    assert "ArgusLM failed on this page" in answer.content.decode()
    assert (answer.status_code, data.status_code) == (500, 500)
    assert data["Content-Type"] == "application/json"
