"""What holds for every page: nothing inline, nothing foreign, nothing missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from arguslm.dashboard.access import CONTENT_SECURITY_POLICY
from tests.make import make_account, make_alert, make_check, make_llm, make_result, make_run

pytestmark = pytest.mark.django_db
HERE = Path(__file__).resolve().parents[2] / "arguslm" / "dashboard"
MODULES = sorted((HERE / "static" / "dashboard").glob("*.js"))


@pytest.fixture
def urls() -> list[str]:
    llm = make_llm(enabled_for_monitoring=True)
    make_check(llm)
    run = make_run(llm)
    make_result(run, llm, ttft_ms=200.0)
    make_alert(llm=llm)
    own = [f"/models/{llm.pk}", f"/benchmarks/{run.pk}", f"/providers/{llm.account_id}"]
    return ["/overview", "/benchmarks", "/alerts", "/providers?type=openai", *own]


def test_no_page_has_inline_code_or_styles(browser: Client, urls: list[str]) -> None:
    for url in urls:
        text = browser.get(url).content.decode()
        assert not re.search(
            r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", text
        ), url


def test_pages_load_static_files_of_ours_that_exist(browser: Client, urls: list[str]) -> None:
    for url in urls:
        text = browser.get(url).content.decode()
        loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', text)
        assert len(loaded) >= 5
        for path in loaded:
            assert path.startswith("/static/"), path
            assert finders.find(path.removeprefix("/static/")), path


def test_every_page_forbids_what_is_not_ours(browser: Client, urls: list[str]) -> None:
    for url in urls:
        assert browser.get(url)["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_ids_on_a_page_are_unique(browser: Client, urls: list[str]) -> None:
    for url in urls:
        ids = re.findall(r'\sid="([^"]+)"', browser.get(url).content.decode())
        assert len(ids) == len(set(ids)), url


def test_live_parts_have_ids_to_be_found_by(browser: Client, urls: list[str]) -> None:
    for url in urls:
        for tag in re.findall(r"<[^>]*data-live[^>]*>", browser.get(url).content.decode()):
            assert " id=" in tag, tag


def test_an_unchanged_page_is_not_sent_again(browser: Client, urls: list[str]) -> None:
    for url in urls:
        etag = browser.get(url)["ETag"]
        assert browser.get(url, headers={"If-None-Match": etag}).status_code == 304, url


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_are_small_import_what_exists_and_never_write_html(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") < 250
    for name in re.findall(r'from "\./([\w.]+)"', text):
        assert (path.parent / name).is_file(), name
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_text_from_elsewhere_is_escaped(browser: Client) -> None:
    evil = "<script>alert(1)</script>"
    account = make_account(display_name=evil)
    llm = make_llm(account, f"m{evil}", enabled_for_monitoring=True)
    make_check(llm, status="down", error=evil, error_class=None)
    make_alert(llm=llm, message=evil)
    run = make_run(llm, name=evil)
    make_result(run, llm, error=evil)
    own = [f"/models/{llm.pk}", f"/benchmarks/{run.pk}", f"/providers/{account.pk}"]
    for url in ["/overview", "/alerts", "/providers", "/benchmarks", f"/overview?q={evil}", *own]:
        text = browser.get(url).content.decode()
        assert evil not in text, url


@pytest.mark.parametrize("kind", ["models", "benchmarks", "providers"])
def test_an_unknown_address_is_a_page_too(browser: Client, kind: str) -> None:
    answer = browser.get(f"/{kind}/00000000-0000-7000-8000-00000000dead")
    assert answer.status_code == 404
    assert "There is no such" in answer.content.decode()


def test_pages_that_name_no_icon_get_ours(browser: Client) -> None:
    assert browser.get("/favicon.ico")["Location"] == "/static/dashboard/icon.svg"
