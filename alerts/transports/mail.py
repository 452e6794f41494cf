"""E-mail through the server of the settings (EMAIL_URL) or one of the channel's own."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import EmailValidator

from alerts.letters import Letter
from alerts.transports.answers import Answer, Verdict, trouble

STEP_S = 10.0
MOST_RECIPIENTS = 50
TLS_MODES = ("starttls", "tls", "none")
DEFAULT_PORTS = {"starttls": 587, "tls": 465, "none": 25}
KNOWN = ("to", "from", "host", "port", "user", "password", "tls")
HIDDEN = "***"


def config_errors(config: Mapping[str, Any]) -> dict[str, str]:
    checks = {
        "to": _to_error(config.get("to")),
        "from": _address_error(config.get("from")),
        "host": _host_error(config.get("host")),
        "port": _port_error(config.get("port")),
        "user": _text_error(config.get("user")),
        "password": _text_error(config.get("password")),
        "tls": None if config.get("tls") in (None, *TLS_MODES) else f"One of {TLS_MODES}.",
    }
    return {name: text for name, text in checks.items() if text}


def _to_error(value: Any) -> str | None:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_RECIPIENTS:
        return f"A list of 1 to {MOST_RECIPIENTS} addresses."
    return next((text for text in map(_address_error, value) if text), None)


def _address_error(value: Any) -> str | None:
    if value is None:
        return None
    try:
        EmailValidator()(value)
    except ValidationError:
        return "This is not an e-mail address."
    return None


def _host_error(value: Any) -> str | None:
    if value is None:
        if settings.EMAIL_HOST_IS_SET:
            return None
        return "There is no mail server: give its host, or set EMAIL_URL."
    is_name = isinstance(value, str) and 0 < len(value) <= 253 and value.isascii()
    return None if is_name and value.isprintable() and " " not in value else "A host name."


def _port_error(value: Any) -> str | None:
    is_port = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65_536
    return None if value is None or is_port else "A number from 1 to 65535."


def _text_error(value: Any) -> str | None:
    is_text = isinstance(value, str) and 0 < len(value) <= 1000
    return None if value is None or is_text else "A text of at most 1,000 characters."


def public_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, **({"password": HIDDEN} if config.get("password") else {})}


def send(config: Mapping[str, Any], letter: Letter) -> Answer:
    try:
        _send(config, letter)
    except smtplib.SMTPAuthenticationError as exc:
        if exc.smtp_code < 500:
            sentence = "The mail server cannot check the user name and password just now."
            return Answer(Verdict.AGAIN, exc.smtp_code, sentence)
        sentence = "The mail server does not accept the user name and password."
        return Answer(Verdict.PERMANENT, exc.smtp_code, sentence)
    except smtplib.SMTPRecipientsRefused as exc:
        codes = {code for code, _ in exc.recipients.values()}
        sentence = "The mail server takes no message for these recipients."
        return Answer(_refused(codes), max(codes, default=None), sentence)
    except smtplib.SMTPResponseException as exc:
        sentence = f"The mail server answered {exc.smtp_code}."
        return Answer(Verdict.AGAIN, exc.smtp_code if exc.smtp_code > 0 else None, sentence)
    except smtplib.SMTPNotSupportedError:
        sentence = "The mail server does not offer the encryption or login asked for."
        return Answer(Verdict.AGAIN, error=sentence)
    except (smtplib.SMTPException, OSError) as exc:
        return trouble(exc, "The mail server could not be reached.")
    return Answer(Verdict.DELIVERED)


def _send(config: Mapping[str, Any], letter: Letter) -> None:
    connection = _connection(config)
    try:
        _message(config, letter, connection).send()
    finally:
        # Django leaves the socket open when the login fails.
        with suppress(OSError):
            connection.close()


def _refused(codes: set[int]) -> Verdict:
    is_final = bool(codes) and all(500 <= code < 600 for code in codes)
    return Verdict.UNACCEPTABLE if is_final else Verdict.AGAIN


def _message(
    config: Mapping[str, Any], letter: Letter, connection: BaseEmailBackend
) -> EmailMessage:
    return EmailMessage(
        subject=letter.title,
        body=letter.body,
        from_email=config.get("from") or settings.DEFAULT_FROM_EMAIL,
        to=list(config["to"]),
        # The same at each attempt, so that a mailbox can tell a repetition.
        headers={
            "Message-ID": f"<{letter.message_id}@arguslm>",
            "Auto-Submitted": "auto-generated",
            **_thread(letter),
        },
        connection=connection,
    )


def _thread(letter: Letter) -> dict[str, str]:
    """So that mail programs show an end beside its opening."""
    earlier = [f"<{opening}@arguslm>" for opening in letter.case.opened_by[:10]]
    return {"In-Reply-To": earlier[0], "References": " ".join(earlier)} if earlier else {}


def _connection(config: Mapping[str, Any]) -> BaseEmailBackend:
    if not config.get("host"):
        return get_connection(timeout=STEP_S)
    tls = config.get("tls") or "starttls"
    return get_connection(
        "django.core.mail.backends.smtp.EmailBackend",
        host=config["host"],
        port=config.get("port") or DEFAULT_PORTS[tls],
        username=config.get("user"),
        password=config.get("password"),
        use_tls=tls == "starttls",
        use_ssl=tls == "tls",
        timeout=STEP_S,
    )
