"""The address of an account: what the catalog knows, or what its owner typed, put into form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from providers.adapters.endpoint import TokenParam
from providers.addresses import Address, parse_address
from providers.catalog import ProviderSpec
from providers.routes import AWS_HOST

# https://cloud.ibm.com/apidocs/watsonx-ai#active-version-dates
WATSONX_VERSION = "2025-04-23"
# max_completion_tokens came with this version of the classic API.
# https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
AZURE_COMPLETION_TOKENS_SINCE = "2024-09-01"


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of an endpoint that depend on the address."""

    base_url: str
    query: Mapping[str, str] = field(default_factory=dict)
    models_url: str | None = None
    token_param: TokenParam | None = None


def target_of(spec: ProviderSpec, fields: Mapping[str, Any]) -> Target:
    parts = dict(fields)
    if "region" in fields:
        parts["vertex_host"] = _vertex_host(fields["region"])
    if "base_url" not in fields:
        url = spec.base_url_template.format_map(parts).rstrip("/")
        return SHAPES[spec.shape](spec, parse_address(url), parts)
    return SHAPES[spec.shape](spec, parse_address(fields["base_url"]), parts)


def _vertex_host(region: str) -> str:
    if region in ("us", "eu"):  # several regions as one
        return f"aiplatform.{region}.rep.googleapis.com"
    prefix = "" if region == "global" else f"{region}-"
    return f"{prefix}aiplatform.googleapis.com"


def _plain(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """As given; a vendor's bare host gets the path the catalog knows."""
    known = urlsplit(spec.default_base_url or "")
    path = address.path.removesuffix("/chat/completions")
    if not path and address.netloc == known.netloc:
        path = known.path
    return Target(address.origin + path, address.query)


def _tail(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """A bare host gets the usual path of this kind of server."""
    path = address.path.removesuffix("/chat/completions")
    return Target(address.origin + (path or _usual_path(spec).format_map(parts)), address.query)


def _usual_path(spec: ProviderSpec) -> str:
    own_tail = spec.base_url_template.removeprefix("{base_url}")
    if own_tail == spec.base_url_template:
        return urlsplit(own_tail).path
    return own_tail or urlsplit(spec.default_base_url or "").path


def _ollama(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """Chat below /v1, the native list at /api/tags beside it."""
    path = address.path.removesuffix("/chat/completions")
    root = address.origin + path.removesuffix("/v1").removesuffix("/api")
    return Target(f"{root}/v1", address.query, f"{root}/api/tags")


def _google(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """The native API stands at /v1beta, its OpenAI layer below it."""
    path = address.path.removesuffix("/chat/completions") or "/v1beta"
    if path.endswith(("/v1beta", "/v1")):
        path += "/openai"
    return Target(address.origin + path, address.query)


def _anthropic(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """The SDK adds /v1/messages itself."""
    path = address.path.removesuffix("/messages").removesuffix("/v1")
    return Target(address.origin + path, address.query)


def _azure(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """The v1 API, or with a dated version the classic one with the deployment in the URL.

    https://learn.microsoft.com/azure/ai-foundry/openai/reference
    """
    before, _, after = f"{address.path}/".partition("/openai/")
    root = f"{address.origin}{before.rstrip('/')}/openai"
    version = parts.get("api_version") or address.query.get("api-version", "")
    rest = {name: value for name, value in address.query.items() if name != "api-version"}
    if not version[:1].isdigit() or after.startswith("v1/"):
        named = {"api-version": version} if version in ("preview", "latest") else {}
        return Target(f"{root}/v1", rest | named)
    modern = version >= AZURE_COMPLETION_TOKENS_SINCE
    return Target(
        root + "/deployments/{model}",
        rest | {"api-version": version},
        f"{root}/models",
        "max_completion_tokens" if modern else "max_tokens",
    )


def _bedrock(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """One of Amazon's own hosts has its OpenAI layer below /openai; a gateway is used as given."""
    path = address.path.removesuffix("/chat/completions")
    if AWS_HOST.search(address.netloc) and path in ("", "/v1"):
        path = "/openai/v1"
    return Target(address.origin + path, address.query)


def _databricks(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    target = _tail(spec, address, parts)
    return replace(target, models_url=f"{address.origin}/api/2.0/serving-endpoints")


def _watsonx(spec: ProviderSpec, address: Address, parts: Mapping[str, Any]) -> Target:
    """The version is a date that every request must bear."""
    path = address.path.partition("/ml/v1")[0]
    return Target(
        address.origin + path,
        {"version": WATSONX_VERSION} | address.query,
        f"{address.origin}{path}/ml/v1/foundation_model_specs?limit=200",
    )


SHAPES: dict[str, Callable[[ProviderSpec, Address, Mapping[str, Any]], Target]] = {
    "plain": _plain,
    "tail": _tail,
    "ollama": _ollama,
    "google": _google,
    "anthropic": _anthropic,
    "azure": _azure,
    "bedrock": _bedrock,
    "databricks": _databricks,
    "watsonx": _watsonx,
}
