"""Models of one cloud account that are asked in another way than its other models."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from providers.adapters.endpoint import Endpoint, Route

# Amazon's own hosts, those of its private networks and of its Chinese regions among them.
AWS_HOST = re.compile(r"(?i)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$")
# Bedrock's names begin with the maker, or with the region of an inference profile before it.
_REGIONAL = r"(?:[a-z-]+\.)?"


def with_routes(kind: str | None, endpoint: Endpoint) -> Endpoint:
    if kind is None:
        return endpoint
    return replace(endpoint, routes=ROUTES[kind](endpoint))


def _bedrock(endpoint: Endpoint) -> tuple[Route, ...]:
    """OpenAI's models speak the OpenAI wire, all others Converse; on Mantle, Bedrock's newer
    host, Claude speaks Anthropic's wire and all others OpenAI's. A gateway does as it likes."""
    host = urlsplit(endpoint.base_url).hostname or ""
    root = endpoint.base_url.removesuffix("/openai/v1")
    if root == endpoint.base_url or not AWS_HOST.search(host):
        return ()
    if host.startswith("bedrock-mantle."):
        changes = {"protocol": "anthropic", "base_url": f"{root}/anthropic"}
        return (Route(rf"{_REGIONAL}anthropic\.", changes | _bearer(endpoint)),)
    changes = {"protocol": "converse", "base_url": root}
    return (Route(rf"(?!{_REGIONAL}openai\.)", changes),)


def _vertex(endpoint: Endpoint) -> tuple[Route, ...]:
    """Claude is a model of a partner, in a place of its own."""
    root = endpoint.base_url.removesuffix("/endpoints/openapi")
    if root == endpoint.base_url:
        return ()
    changes: dict[str, Any] = {
        "protocol": "anthropic",
        "form": "vertex",
        "base_url": f"{root}/publishers/anthropic/models",
    }
    return (Route(r"(?:anthropic/)?claude", changes | _bearer(endpoint)),)


def _foundry(endpoint: Endpoint) -> tuple[Route, ...]:
    root = endpoint.base_url.removesuffix("/openai/v1")
    if root == endpoint.base_url:
        return ()
    changes = {"protocol": "anthropic", "base_url": f"{root}/anthropic"}
    return (Route(r"(?i)claude", changes | {"api_key": endpoint.headers.get("api-key")}),)


def _bearer(endpoint: Endpoint) -> dict[str, Any]:
    """Clouds take their own token on Anthropic's wire too, not that wire's x-api-key."""
    if endpoint.api_key is None:
        return {}
    proof = {"Authorization": f"Bearer {endpoint.api_key}"}
    return {"api_key": None, "headers": proof | dict(endpoint.headers)}


ROUTES: dict[str, Callable[[Endpoint], tuple[Route, ...]]] = {
    "bedrock": _bedrock,
    "vertex": _vertex,
    "foundry": _foundry,
}
