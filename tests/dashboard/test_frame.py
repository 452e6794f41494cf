"""What holds for every page: nothing inline, nothing foreign, nothing missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import resolve

from arguslm.dashboard.access import CONTENT_SECURITY_POLICY
from models_app.models import Calibration
from tests.alerts.storing import make_channel
from tests.make import (
    make_account,
    make_alert,
    make_check,
    make_llm,
    make_result,
    make_rule,
    make_run,
)

pytestmark = pytest.mark.django_db
CHANNELS = (("webhook", None), ("email", {"to": ["a@example.org"]}))
HERE = Path(__file__).resolve().parents[2] / "arguslm" / "dashboard"
MODULES = sorted((HERE / "static" / "dashboard").glob("*.js"))


@pytest.fixture
def urls() -> list[str]:
    llm = make_llm(enabled_for_monitoring=True)
    make_check(llm)
    run = make_run(llm)
    make_result(run, llm, ttft_ms=200.0)
    alert = make_alert(make_rule(rule_type="performance_degradation"), llm=llm)
    own = [f"/models/{llm.pk}", f"/benchmarks/{run.pk}", f"/providers/{llm.account_id}"]
    own += [f"/alerts/{alert.pk}", f"/alerts/rules/{alert.rule_id}"]
    own += [f"/alerts/channels/{make_channel(kind, config).pk}" for kind, config in CHANNELS]
    tabs = ["history", "incidents", "rules", "channels", "silences"]
    benchmarks = ["/benchmarks", "/benchmarks/schedules", "/benchmarks/prompts"]
    pages = ["/overview", "/providers?type=openai", "/alerts", *benchmarks]
    return [*pages, *(f"/alerts/{tab}" for tab in tabs), *own]


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


class Outline(HTMLParser):
    """Notes tags that do not close in order, and forms where no browser keeps them."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "path", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "form" and {"p", "form"} & set(self.open):
            self.faults.append(f"form in {self.open}")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self.open.pop() != tag:
            self.faults.append(f"{tag} at {self.getpos()}")


def test_tags_close_in_order(browser: Client, urls: list[str]) -> None:
    for url in urls:
        outline = Outline()
        outline.feed(browser.get(url).content.decode())
        assert (outline.faults, outline.open) == ([], []), url


def test_every_page_has_one_title_and_one_main_heading(browser: Client, urls: list[str]) -> None:
    for url in urls:
        text = browser.get(url).content.decode()
        assert text.count("<h1") == 1, url
        assert text.count('<main id="content"') == text.count('href="#content"') == 1, url
        assert not re.search(r"<title>\s*·", text), url


def test_fields_and_buttons_have_a_name(browser: Client, urls: list[str]) -> None:
    for url in urls:
        text = browser.get(url).content.decode()
        for tag in re.findall(r"<button[^>]*>\s*</button>|<img(?![^>]*alt=)[^>]*>", text):
            pytest.fail(f"{url}: {tag}")
        labelled = re.sub(r"<label.*?</label>", "", text, flags=re.S)
        for field in re.findall(r"<(?:input|select|textarea)[^>]*>", labelled):
            assert 'type="hidden"' in field or "aria-label=" in field, (url, field)


def test_what_deletes_asks_first(browser: Client, urls: list[str]) -> None:
    for url in urls:
        for button in re.findall(r"<button[^>]*>", browser.get(url).content.decode()):
            if 'data-method="DELETE"' in button or "danger" in button:
                assert "data-confirm=" in button, (url, button)


def test_what_a_page_asks_of_the_api_exists(browser: Client, urls: list[str]) -> None:
    for url in urls:
        text = browser.get(url).content.decode()
        for path in re.findall(r'(?:data-url|data-test|data-replay|data-compare)="([^"]+)"', text):
            assert resolve(path), path


def test_pages_are_sent_compressed(browser: Client, urls: list[str]) -> None:
    answer = browser.get(urls[0], headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    etag = answer["ETag"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": etag}
    assert browser.get(urls[0], headers=again).status_code == 304


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
    rule = make_rule(name=evil, rule_type="specific_model_down", target_llm=llm)
    channel = make_channel(name=evil, disabled_reason=evil)
    own = [f"/models/{llm.pk}", f"/benchmarks/{run.pk}", f"/providers/{account.pk}"]
    own += [f"/alerts/rules/{rule.pk}", f"/alerts/channels/{channel.pk}", "/alerts/silences"]
    own += ["/alerts", f"/alerts/history?q={evil}", "/alerts/rules", "/alerts/channels"]
    for url in ["/overview", "/providers", "/benchmarks", f"/overview?q={evil}", *own]:
        text = browser.get(url).content.decode()
        assert evil not in text, url


def test_the_footer_says_how_exact_this_installation_is(browser: Client) -> None:
    assert "Not calibrated" in browser.get("/alerts").content.decode()
    Calibration.objects.create(bias_ms=0.083, spread_ms=0.2, p99_ms=0.412)
    text = browser.get("/alerts").content.decode()
    assert "0.08 ms at the median, 0.41 ms at P99" in text


def test_who_is_signed_in_can_sign_out(browser: Client) -> None:
    assert "Sign out" not in browser.get("/alerts").content.decode()
    browser.force_login(User.objects.create(username="olga", is_staff=True))
    assert "Sign out olga" in browser.get("/alerts").content.decode()


def test_pages_that_name_no_icon_get_ours(browser: Client) -> None:
    assert browser.get("/favicon.ico")["Location"] == "/static/dashboard/icon.svg"
