"""By kind of channel: what its configuration must hold, what of it is shown, how it sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from alerts.letters import Letter
from alerts.transports import chat, mail, webhook
from alerts.transports.answers import Answer
from providers.loop import engine_loop

BLOCKING_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Transport:
    fields: tuple[str, ...]
    config_errors: Callable[[Mapping[str, Any]], dict[str, str]]
    public_config: Callable[[Mapping[str, Any]], dict[str, Any]]
    send: Callable[[Mapping[str, Any], Sequence[str], Letter], Future[Answer]]


def _post(config: Mapping[str, Any], secrets: Sequence[str], letter: Letter) -> Future[Answer]:
    return engine_loop().submit(webhook.send(config, secrets, letter))


def _mail(config: Mapping[str, Any], secrets: Sequence[str], letter: Letter) -> Future[Answer]:
    return _blocking().submit(mail.send, config, letter)


def _chat(config: Mapping[str, Any], secrets: Sequence[str], letter: Letter) -> Future[Answer]:
    return _blocking().submit(chat.send, config, letter)


TRANSPORTS: dict[str, Transport] = {
    "webhook": Transport(("url",), webhook.config_errors, webhook.public_config, _post),
    "email": Transport(mail.KNOWN, mail.config_errors, mail.public_config, _mail),
    "apprise": Transport(("url",), chat.config_errors, chat.public_config, _chat),
}


@lru_cache(maxsize=1)
def _blocking() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(BLOCKING_AT_ONCE, thread_name_prefix="alerts-send")


def config_errors(kind: str, config: Mapping[str, Any]) -> dict[str, str]:
    transport = TRANSPORTS[kind]
    unknown = [name for name in config if name not in transport.fields]
    if unknown:
        known = ", ".join(transport.fields)
        return {str(unknown[0])[:100]: f"There is no such field. Known: {known}."}
    return transport.config_errors(config)


def public_config(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return TRANSPORTS[kind].public_config(config)


def style_of(kind: str, config: Mapping[str, Any]) -> str:
    """The name of the template for a channel."""
    return chat.style_of(config["url"]) if kind == "apprise" else kind


def send(
    kind: str, config: Mapping[str, Any], secrets: Sequence[str], letter: Letter
) -> Future[Answer]:
    """Begins to send; the future never fails for what the receiver does."""
    return TRANSPORTS[kind].send(config, secrets, letter)
