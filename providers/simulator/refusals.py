"""Error bodies in the shape of each vendor; the sentences are our own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from providers.simulator.behaviour import STATUS_FAILURE, Behaviour

Wire = Literal["openai", "anthropic", "ollama"]

_REASONS = {
    400: "The request was not understood.",
    401: "The API key is not valid.",
    402: "The balance of this account is used up.",
    403: "This key may not use this model.",
    404: "The model does not exist or this key has no access to it.",
    408: "The request took too long to arrive.",
    413: "The request is too large.",
    429: "Too many requests for this key; slow down.",
    500: "The server failed while it handled the request.",
    502: "The gateway got no usable answer.",
    503: "The service is not available at the moment.",
    504: "The gateway waited too long for an answer.",
    529: "The service is overloaded.",
}
_OPENAI_KINDS: dict[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_balance"),
    403: ("permission_error", "model_not_allowed"),
    404: ("invalid_request_error", "model_not_found"),
    408: ("timeout_error", "request_timeout"),
    429: ("requests", "rate_limit_exceeded"),
    529: ("overloaded_error", "overloaded"),
}
_ANTHROPIC_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_PARAMETERS = {
    "refuse-stream-options": (
        "stream_options",
        "unknown_parameter",
        "The parameter 'stream_options' is not supported by this server.",
    ),
    "refuse-max-tokens": (
        "max_tokens",
        "unsupported_parameter",
        "Unsupported parameter: this model does not take 'max_tokens'; "
        "send 'max_completion_tokens' instead.",
    ),
    "refuse-temperature": (
        "temperature",
        "unsupported_value",
        "Unsupported value: this model only works with its own 'temperature'.",
    ),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    message: str
    kind: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after_s: int | None = None

    def body(self, wire: Wire, request_id: str) -> bytes:
        return json.dumps(_SHAPES[wire](self, request_id)).encode()


def refusal(status: int, message: str | None = None, *, param: str | None = None) -> Refusal:
    text = message or _REASONS.get(status, f"The simulator was asked to answer {status}.")
    return Refusal(status, text, param=param)


def refused_by(behaviour: Behaviour, faults: frozenset[str], key: str) -> Refusal | None:
    """The refusal that these faults ask for, whatever the request says."""
    for fault in sorted(faults):
        if found := STATUS_FAILURE.fullmatch(fault):
            return _with_status(int(found[1]), behaviour)
        if fault in _NAMED:
            return _NAMED[fault](key)
    return None


def refused_parameter(faults: frozenset[str], body: dict[str, Any]) -> Refusal | None:
    """The 400 of a server that does not know, or no longer takes, one of the parameters."""
    for fault, (param, code, message) in _PARAMETERS.items():
        if fault in faults and param in body:
            return Refusal(400, message, "invalid_request_error", code, param)
    return None


def _with_status(status: int, behaviour: Behaviour) -> Refusal:
    wait = behaviour.retry_after_s if status == 429 else None
    return Refusal(status, refusal(status).message, retry_after_s=wait)


def _quota(key: str) -> Refusal:
    text = "You have used up your quota; check plan and billing."
    return Refusal(429, text, "insufficient_quota", "insufficient_quota")


def _echo(key: str) -> Refusal:
    text = f"Incorrect API key provided: {key}. Look up your key in the console."
    return Refusal(401, text, None, "invalid_api_key")


def _masked_echo(key: str) -> Refusal:
    masked = f"{key[:5]}{'*' * max(3, len(key) - 9)}{key[-4:]}"
    return Refusal(401, f"Incorrect API key provided: {masked}.", None, "invalid_api_key")


def _filtered(key: str) -> Refusal:
    text = "The prompt was stopped by the content filter of this deployment."
    return Refusal(400, text, None, "content_filter", "prompt")


_NAMED = {
    "insufficient-quota": _quota,
    "echo-key": _echo,
    "echo-key-masked": _masked_echo,
    "content-filter-400": _filtered,
}


def _openai_shape(refused: Refusal, request_id: str) -> dict[str, Any]:
    fallback = "server_error" if refused.status >= 500 else "invalid_request_error"
    kind, code = _OPENAI_KINDS.get(refused.status, (fallback, None))
    return {
        "error": {
            "message": refused.message,
            "type": refused.kind or kind,
            "param": refused.param,
            "code": refused.code or code,
        },
    }


def _anthropic_shape(refused: Refusal, request_id: str) -> dict[str, Any]:
    fallback = "api_error" if refused.status >= 500 else "invalid_request_error"
    kind = _ANTHROPIC_KINDS.get(refused.status, fallback)
    if refused.code == "insufficient_quota":
        kind = "billing_error"
    error = {"type": kind, "message": refused.message}
    return {"type": "error", "error": error, "request_id": request_id}


def _ollama_shape(refused: Refusal, request_id: str) -> dict[str, Any]:
    return {"error": refused.message}


_SHAPES = {"openai": _openai_shape, "anthropic": _anthropic_shape, "ollama": _ollama_shape}
