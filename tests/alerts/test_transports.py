"""Mail and chat over real sockets: a small SMTP server, and the services' own wire over HTTP."""

from __future__ import annotations

import importlib
import json
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_django import Settings

from alerts import transports
from alerts.letters import Case, Letter, letter, payload_of
from alerts.topics import Topic
from alerts.transports import Answer, Verdict, chat, exchange
from tests.alerts.builders import NOON
from tests.alerts.receivers import Receiver, answer, drip, pour, receiving


def make_letter(kind: str, text: str = "gpt-4 is down.") -> Letter:
    payload = payload_of(Topic.DOWN, text, scope="s", at=NOON, link="http://here/alerts")
    return letter(kind, "0190-id", payload)


def send(kind: str, config: dict[str, Any]) -> Answer:
    return transports.send(kind, config, (), make_letter(kind)).result(timeout=20)


@dataclass
class Mailbox:
    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    mails: list[str] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        to = ["ops@example.org"]
        return {"to": to, "host": "127.0.0.1", "port": self.port, "tls": "none"}


@contextmanager
def running_mail_server(**replies: str) -> Iterator[Mailbox]:
    """Speaks as much SMTP as a client needs; `replies` by command in place of 250."""
    box = Mailbox(replies=replies)

    class Session(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 mail.example ESMTP")
            while line := self.rfile.readline().decode().strip():
                command = line[:4].upper()
                reply = box.replies.get(command, "250 OK")
                if command == "EHLO":
                    self.wfile.write(b"250-mail.example\r\n250 AUTH PLAIN\r\n")
                elif command == "DATA" and reply.startswith("2"):
                    self.say("354 go on")
                    self.take_mail()
                else:
                    self.say("221 bye" if command == "QUIT" else reply)

        def take_mail(self) -> None:
            lines = []
            while (line := self.rfile.readline().decode()) != ".\r\n":
                lines.append(line)
            box.mails.append("".join(lines))
            self.say("250 taken")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield box
        server.shutdown()


def test_a_mail_arrives_with_an_id_that_every_attempt_shares() -> None:
    with running_mail_server() as box:
        assert send("email", box.config) == Answer(Verdict.DELIVERED)
        assert send("email", box.config).ok

    for mail in box.mails:
        assert "Message-ID: <0190-id@arguslm>" in mail
        assert "Subject: [ArgusLM] Down: gpt-4 is down." in mail
        assert "http://here/alerts" in mail


def test_a_wrong_password_switches_the_channel_off() -> None:
    with running_mail_server(AUTH="535 no") as box:
        config = box.config | {"user": "u", "password": "secret-pw"}
        found = send("email", config)

    assert (found.verdict, found.status_code) == (Verdict.PERMANENT, 535)
    assert "secret-pw" not in repr(found)


@pytest.mark.parametrize(
    ("reply", "verdict"), [("550 nobody", Verdict.UNACCEPTABLE), ("450 later", Verdict.AGAIN)]
)
def test_a_refused_recipient_is_final_or_not(reply: str, verdict: Verdict) -> None:
    with running_mail_server(RCPT=reply) as box:
        assert send("email", box.config).verdict is verdict


def test_a_mail_server_that_is_away_is_tried_again() -> None:
    config = {"to": ["ops@example.org"], "host": "127.0.0.1", "port": 9, "tls": "none"}
    assert send("email", config) == Answer(
        Verdict.AGAIN, error="The mail server could not be reached."
    )


def test_without_a_mail_server_a_channel_cannot_be_made(settings: Settings) -> None:
    config = {"to": ["ops@example.org"]}
    assert "host" in transports.config_errors("email", config)
    settings.EMAIL_HOST_IS_SET = True
    assert transports.config_errors("email", config) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to", []),
        ("to", "ops@example.org"),
        ("to", ["nobody"]),
        ("to", ["a@b.example\nBcc: c@d.example"]),
        ("from", "x"),
        ("host", "a b"),
        ("port", 0),
        ("port", "25"),
        ("tls", "perhaps"),
        ("user", 5),
        ("cc", ["x@y.example"]),
    ],
)
def test_a_wrong_mail_setting_is_named(name: str, value: Any) -> None:
    config = {"to": ["ops@example.org"], "host": "mail.example"} | {name: value}
    assert list(transports.config_errors("email", config)) == [name]


def test_a_mail_password_is_masked() -> None:
    shown = transports.public_config("email", {"to": ["a@b.example"], "password": "p4ss"})
    assert shown == {"to": ["a@b.example"], "password": "***"}


def test_a_chat_message_arrives_over_the_service_own_wire() -> None:
    with receiving(answer(200, b"{}")) as server:
        host = server.url.partition("://")[2].partition("/")[0]
        assert send("apprise", {"url": f"ntfy://{host}/alerts-topic"}).ok

    [got] = server.got
    told = json.loads(got.body)
    assert (told["topic"], told["title"]) == ("alerts-topic", "ArgusLM: Down")
    assert told["message"].startswith("gpt-4 is down.")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(500, Verdict.AGAIN), (429, Verdict.AGAIN), (401, Verdict.PERMANENT), (302, Verdict.AGAIN)],
)
def test_a_chat_service_that_refuses_has_a_verdict(status: int, verdict: Verdict) -> None:
    with (
        receiving() as elsewhere,
        receiving(answer(status, location=elsewhere.url)) as server,
    ):
        host = server.url.partition("://")[2].partition("/")[0]
        found = send("apprise", {"url": f"ntfy://{host}/alerts-topic"})

    assert (found.verdict, found.status_code) == (verdict, status)
    assert elsewhere.got == []


def host_of(server: Receiver) -> str:
    return server.url.partition("://")[2].partition("/")[0]


def test_a_chat_service_may_say_when_to_come_back() -> None:
    with receiving(answer(429, retry_after="90")) as server:
        found = send("apprise", {"url": f"ntfy://{host_of(server)}/alerts-topic"})

    assert (found.verdict, found.retry_after_s) == (Verdict.AGAIN, 90.0)
    assert len(server.got) == 1


def test_forty_megabytes_of_a_chat_service_are_not_read() -> None:
    sent: list[int] = []
    with receiving(pour(40_000_000, sent)) as server:
        found = send("apprise", {"url": f"ntfy://{host_of(server)}/alerts-topic"})

    assert found.ok
    assert sum(sent) < 40_000_000


def test_a_chat_service_that_never_ends_its_answer_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "BODY_S", 0.3)
    left = threading.Event()
    with receiving(drip(500, left)) as server:
        found = send("apprise", {"url": f"ntfy://{host_of(server)}/alerts-topic"})
        left.set()

    assert (found.verdict, found.status_code) == (Verdict.AGAIN, 500)


UNTRUSTED = "m is down: it said <b>, <!channel> <@U1> @everyone a@here [x](http://e.example) & 1<2."


def told_by(service: str, module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The body a service gets that stands at an address of its own."""
    with receiving(answer(200, b"ok")) as server:
        plugin = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
        attribute = {"slack": "webhook_url"}.get(module, "notify_url")
        monkeypatch.setattr(plugin, attribute, f"{server.url}/")
        config = {"url": service}
        letter = make_letter("apprise", UNTRUSTED)
        assert transports.send("apprise", config, (), letter).result(timeout=20).ok
    return server.got[0].body.decode()


@pytest.mark.parametrize(
    ("service", "module", "name"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack", "NotifySlack"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "discord", "NotifyDiscord"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544", "telegram", "NotifyTelegram"),
    ],
)
def test_words_of_a_provider_call_nobody_and_hide_no_link(
    service: str, module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.loads(told_by(service, module, name, monkeypatch))
    text = json.dumps(body, ensure_ascii=False)

    for live in ("<!", "<@", " @everyone", "a@here", "](http"):
        assert live not in text
    assert "m is down: it said" in text


def test_telegram_gets_no_markup_that_it_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "tgram://123456789:abcdefg_hijklmnop/12315544"
    body = json.loads(told_by(url, "telegram", "NotifyTelegram", monkeypatch))

    assert body["parse_mode"] == "HTML"
    assert re.findall("<[^>]*>", body["text"]) == ["<b>", "</b>"]
    assert "&amp; 1&lt;2" in body["text"]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("webhook", {"url": "https://no-such-host.invalid/x"}),
        ("apprise", {"url": "ntfys://no-such-host.invalid/x"}),
        ("email", {"to": ["a@b.example"], "host": "no-such-host.invalid"}),
    ],
)
def test_a_host_that_nobody_knows_is_called_so(
    kind: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert send(kind, config) == Answer(
        Verdict.AGAIN, error="The host name of the receiver is not known."
    )


def test_an_end_is_shown_beside_its_opening_in_a_mail_program() -> None:
    payload = payload_of(Topic.RECOVERED, "Up again.", scope="s", at=NOON, link="http://here")
    end = letter("email", "0190-end", payload, Case(opened_by=("0190-late", "0190-early")))
    with running_mail_server() as box:
        assert transports.send("email", box.config, (), end).result(timeout=20).ok

    assert "In-Reply-To: <0190-late@arguslm>" in box.mails[0]
    assert "References: <0190-late@arguslm> <0190-early@arguslm>" in box.mails[0]


def test_a_chat_service_that_is_away_is_tried_again() -> None:
    found = send("apprise", {"url": "mmost://127.0.0.1:9/1234567890abcdef"})
    assert found.verdict is Verdict.AGAIN
    assert "1234567890abcdef" not in found.error


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "tgram://123456789:abcdefg_hijklmnop/12315544",
        "workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944/4fL6ujcA",
        "pagerduty://A1BRTD4JD@TIiajkdnlazkcOXrIdevi7FQ",
        "opsgenie://a_valid_looking_api_key",
        "ntfys://ntfy.sh/topic?priority=high",
        "matrix://user:token@matrix.example/#room",
        "gchat://workspace/webhookkey/webhooktoken",
        "mmost://mattermost.example/1234567890abcdef",
        "rocket://user:pass@rocket.example/#room",
        "pover://u_ser_key_of_thirty_characters@a_token_of_thirty_characters_1",
        "gotify://gotify.example/token",
    ],
)
def test_known_services_are_taken_and_shown_without_their_tokens(url: str) -> None:
    assert transports.config_errors("apprise", {"url": url}) == {}
    shown = transports.public_config("apprise", {"url": url})["url"]
    assert shown == url.partition("://")[0] + "://***"


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/x",
        "jsons://example.org",
        "xml://example.org",
        "form://example.org",
        "file:///etc/passwd",
        "syslog://",
        "dbus://",
        "macosx://",
        "windows://",
        "apprise://example.org/key",
        "mqtt://example.org/topic",
        "mailto://user:pw@example.org",
        "https://hooks.slack.com/services/a/b/c",
        "slack://",
        "discord://onlyone",
        "nonsense",
        "",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd",
        "ntfy://example.org/x?attach=file:///etc/passwd",
        "ntfy://example.org/x?verify=no",
        "ntfy://example.org/x?redirect=yes",
        "ntfy://example.org/x?rto=9999",
        "ntfy://[::1/x",
    ],
)
def test_every_other_scheme_and_every_dangerous_parameter_is_refused(url: str) -> None:
    assert list(transports.config_errors("apprise", {"url": url})) == ["url"]


def test_only_the_plugins_of_listed_services_are_ever_loaded() -> None:
    for module, _ in chat.PLUGINS.values():
        __import__(f"apprise.plugins.{module}")
    loaded = {name.split(".")[2] for name in sys.modules if name.startswith("apprise.plugins.")}
    assert not loaded & {"custom_json", "custom_xml", "custom_form", "syslog", "dbus", "windows"}


def test_a_mail_server_that_cannot_check_a_password_just_now_is_asked_again() -> None:
    with running_mail_server(AUTH="454 4.7.0 later") as box:
        found = send("email", box.config | {"user": "u", "password": "secret-pw"})
    assert (found.verdict, found.status_code) == (Verdict.AGAIN, 454)


def test_a_mail_server_without_encryption_is_not_called_unreachable() -> None:
    with running_mail_server() as box:
        found = send("email", box.config | {"tls": "starttls"})
    assert found == Answer(
        Verdict.AGAIN, error="The mail server does not offer the encryption or login asked for."
    )
