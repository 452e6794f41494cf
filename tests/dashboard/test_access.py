from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from tests.make import make_llm, make_run

pytestmark = pytest.mark.django_db
PAGES = ("/overview", "/benchmarks", "/alerts", "/providers")


def sign_in(browser: Client, *, is_staff: bool) -> None:
    browser.force_login(User.objects.create(username="operator", is_staff=is_staff))


@pytest.mark.parametrize("url", PAGES)
def test_on_loopback_everybody_sees_the_pages(browser: Client, url: str) -> None:
    assert browser.get(url).status_code == 200


@pytest.mark.parametrize("url", PAGES)
def test_elsewhere_a_stranger_is_asked_to_sign_in(
    browser: Client, settings: Settings, url: str
) -> None:
    settings.API_AUTH = "required"
    answer = browser.get(f"{url}?q=a")
    assert answer.status_code == 302
    assert answer["Location"] == f"/admin/login/?next={url}%3Fq%3Da"


def test_data_of_pages_is_closed_too(browser: Client, settings: Settings) -> None:
    settings.API_AUTH = "required"
    llm = make_llm()
    for url in (f"/models/{llm.pk}/series", f"/benchmarks/{make_run(llm).pk}/points"):
        assert browser.get(url).status_code == 302


@pytest.mark.parametrize(("is_staff", "status"), [(True, 200), (False, 302)])
def test_only_staff_gets_in_by_signing_in(
    browser: Client, settings: Settings, is_staff: bool, status: int
) -> None:
    settings.API_AUTH = "required"
    sign_in(browser, is_staff=is_staff)
    assert browser.get("/overview").status_code == status


def test_a_caller_behind_a_proxy_is_asked_to_sign_in(browser: Client) -> None:
    answer = browser.get("/overview", headers={"X-Forwarded-For": "192.0.2.7"})
    assert answer.status_code == 302


def test_a_signed_in_browser_gets_the_token_that_the_api_asks_of_it(browser: Client) -> None:
    sign_in(browser, is_staff=True)
    browser.get("/overview")
    strict = Client(enforce_csrf_checks=True, headers={"Host": "localhost"})
    strict.cookies = browser.cookies
    url, body = "/api/v1/monitoring/config", '{"enabled": false}'
    assert strict.patch(url, body, "application/json").status_code == 403
    token = browser.cookies["arguslm_csrf"].value
    answer = strict.patch(url, body, "application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 200


def test_the_root_sends_a_browser_to_the_overview(browser: Client) -> None:
    assert browser.get("/")["Location"] == "/overview"


@pytest.mark.parametrize("url", PAGES)
def test_pages_only_answer_questions(browser: Client, url: str) -> None:
    assert browser.post(url).status_code == 405
