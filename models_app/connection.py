"""Does an account work? Lists its models and sends one short message to one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from models_app.prompts import PROMPT_PACKS
from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange, list_models
from providers.errors import ErrorClass, ExchangeFailed, Failure, Fault
from providers.loop import engine_loop
from providers.measurement import now_ns
from providers.models import ProviderAccount
from providers.secrets import Undecryptable

TIMEOUT_S = 25.0
MAX_TOKENS = 16
CANDIDATES = 3

# Names of models that do not chat, and of those that cost least.
_NO_CHAT = re.compile(
    r"embed|whisper|tts|dall|image|audio|moderat|realtime|transcri|rerank|sora|veo|imagen|guard|ocr"
    r"|davinci|babbage|search|vision-preview|instruct-0914",
    re.IGNORECASE,
)
_COMPLETES = re.compile(r"davinci|babbage|instruct", re.IGNORECASE)
_CHEAP = re.compile(r"mini|nano|haiku|flash|lite|small|[-_](1|3|7|8)b\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    success: bool
    message: str
    details: dict[str, Any] = field(default_factory=dict)


def test_connection(endpoint: Endpoint, models: list[str]) -> Verdict:
    """Blocks for at most about 25 s. `models` are asked first, before any that the provider lists.

    An upstream failure is a Verdict, never an exception.
    """
    quick = replace(endpoint, connect_timeout_s=5.0, ttft_timeout_s=15.0, total_timeout_s=20.0)
    loop = engine_loop()
    try:
        return loop.run(_test(quick, models, loop.clients), timeout_s=TIMEOUT_S)
    except TimeoutError:
        cause = f"No complete answer within {TIMEOUT_S:.0f} seconds."
        return Verdict(False, cause, {"error_class": ErrorClass.TIMEOUT_TOTAL.value})


def verdict_on(account: ProviderAccount, model: str | None = None) -> Verdict:
    """The same for a stored account: `model` is asked, or those that are monitored."""
    monitored = account.llms.filter(enabled_for_monitoring=True).order_by("created_at", "id")
    models = (
        [model] if model else list(monitored.values_list("upstream_id", flat=True)[:CANDIDATES])
    )
    try:
        return test_connection(account.endpoint, models)
    except Undecryptable as exc:
        return Verdict(False, str(exc))


async def _test(endpoint: Endpoint, models: list[str], clients: ClientPool) -> Verdict:
    details: dict[str, Any] = {}
    listed: list[str] = []
    if endpoint.discovery != "none":
        start = now_ns()
        try:
            listed = [m.upstream_id for m in await list_models(endpoint, clients=clients)]
        except ExchangeFailed as exc:
            if not models or exc.failure.error_class is not ErrorClass.NOT_FOUND:
                return _failed(exc.failure, details)
        else:
            details["models_found"] = len(listed)
            details["latency_ms"] = round((now_ns() - start) / 1e6, 1)
    asked_first = completing_first if endpoint.form == "completion" else cheapest_first
    candidates = (models or asked_first(listed or list(endpoint.known_models)))[:CANDIDATES]
    if not candidates:
        return _without_message(endpoint, details)
    return await _ask(endpoint, candidates, clients, details)


async def _ask(
    endpoint: Endpoint, candidates: list[str], clients: ClientPool, details: dict[str, Any]
) -> Verdict:
    """Asks one model after the other until one answers or the account itself is at fault."""
    failure: Failure | None = None
    for model in candidates:
        prompt = PROMPT_PACKS["health_check"].prompt
        request = ChatRequest(model=model, prompt=prompt, max_tokens=MAX_TOKENS)
        outcome = await exchange(endpoint, request, clients=clients)
        details["model_tested"] = model
        failure = outcome.failure
        if failure is None or failure.error_class is ErrorClass.NO_ANSWER:
            return _succeeded(outcome.figures(), details)
        if failure.fault is Fault.ACCOUNT:
            break
    assert failure is not None
    return _failed(failure, details)


def cheapest_first(models: list[str]) -> list[str]:
    chatting = [name for name in models if not _NO_CHAT.search(name)]
    return sorted(chatting, key=lambda name: not _CHEAP.search(name))


def completing_first(models: list[str]) -> list[str]:
    """For the older completions, which chat models refuse."""
    return sorted(models, key=lambda name: not _COMPLETES.search(name))


def _succeeded(figures: dict[str, Any], details: dict[str, Any]) -> Verdict:
    ttft = figures["ttft_ms"]
    details |= {"ttft_ms": ttft, "latency_ms": figures["total_latency_ms"]}
    after = f", first token after {ttft:.0f} ms" if ttft is not None else ""
    return Verdict(True, f"{details['model_tested']} answered{after}.", details)


def _failed(failure: Failure, details: dict[str, Any]) -> Verdict:
    details |= {"error_class": failure.error_class.value, "status_code": failure.status_code}
    return Verdict(False, failure.message, details)


def _without_message(endpoint: Endpoint, details: dict[str, Any]) -> Verdict:
    if "models_found" not in details:
        cause = "This provider lists no models: add one by hand or name one in the test."
        return Verdict(False, cause, details)
    return Verdict(True, f"{endpoint.host} answers, but it lists no chat model yet.", details)
