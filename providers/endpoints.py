"""From an account's credentials to the endpoint its exchanges go to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import urlsplit

from providers.adapters.endpoint import Endpoint, TokenParam
from providers.adapters.endpoint import Protocol as WireProtocol
from providers.adapters.signing import Signing
from providers.adapters.signing_aws import AwsKeys
from providers.adapters.signing_google import ServiceAccount
from providers.addresses import Address, parse_address
from providers.catalog import CATALOG, ProviderSpec
from providers.credentials import canonical, credential_errors
from providers.errors import ErrorClass, ExchangeFailed, Failure

__all__ = ["credential_errors", "resolve"]

# The SDKs keep headers by their exact spelling; another one would go out beside theirs.
SPELLINGS = {
    name.lower(): name
    for name in (
        *("Authorization", "X-Api-Key", "User-Agent", "api-key", "anthropic-version"),
        *("anthropic-beta", "OpenAI-Organization", "OpenAI-Project"),
    )
}
OWN_HEADERS = {"organization": "OpenAI-Organization", "project": "OpenAI-Project"}
# max_completion_tokens came with this version of the classic API.
# https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
AZURE_COMPLETION_TOKENS_SINCE = "2024-09-01"


def resolve(provider_type: str, credentials: Mapping[str, Any]) -> Endpoint:
    """Where the account's exchanges go. Raises ExchangeFailed (bad_request) with the first error's
    sentence when ``credential_errors`` finds any."""
    errors = credential_errors(provider_type, credentials)
    if errors:
        sentence = next(iter(errors.values()))[0]
        raise ExchangeFailed(Failure(ErrorClass.BAD_REQUEST, sentence))
    spec = CATALOG[provider_type]
    fields = canonical(spec, credentials)
    target = _target(spec, fields)
    key = fields.get("api_key")
    in_header = spec.auth == "api-key"
    return Endpoint(
        provider_type=provider_type,
        base_url=target.base_url,
        protocol=_wire(spec),
        api_key=None if in_header else key,
        headers=_headers(spec, fields, key if in_header else None),
        query=target.query,
        discovery=_discovery(spec),
        stream_options=spec.stream_options,
        token_param=target.token_param or spec.token_param,
        models_url=target.models_url or _models_url(spec, fields),
        known_models=spec.known_models,
        signing=_signing(fields),
        **_timeouts(fields),
    )


def _signing(fields: Mapping[str, Any]) -> Signing | None:
    if "service_account_json" in fields:
        return ServiceAccount.of(fields["service_account_json"])
    if "aws_access_key_id" not in fields:
        return None
    return AwsKeys(
        fields["region"],
        fields["aws_access_key_id"],
        fields["aws_secret_access_key"],
        fields.get("aws_session_token"),
    )


class Timeouts(TypedDict, total=False):
    connect_timeout_s: float
    ttft_timeout_s: float
    total_timeout_s: float


def _timeouts(fields: Mapping[str, Any]) -> Timeouts:
    given: Timeouts = {}
    for name in ("connect_timeout_s", "ttft_timeout_s", "total_timeout_s"):
        if name in fields:
            given[name] = float(fields[name])
    return given


def _wire(spec: ProviderSpec) -> WireProtocol:
    return "anthropic" if spec.protocol == "anthropic" else "openai"


def _headers(spec: ProviderSpec, fields: Mapping[str, Any], key: str | None) -> dict[str, str]:
    headers: dict[str, str] = {} if key is None else {spec.auth: key}
    for name, header in OWN_HEADERS.items():
        if name in fields and name not in spec.template_parts:
            headers[header] = fields[name]
    given = fields.get("headers", {})
    return headers | {SPELLINGS.get(name.lower(), name): text for name, text in given.items()}


def _discovery(spec: ProviderSpec) -> str:
    if spec.discovery in ("static", "none"):
        return "none"
    return "models" if spec.discovery == "anthropic" else spec.discovery


# Lists that are not beside the chat endpoint; a base URL of the account's own has its own list.
MODEL_LISTS = {
    "bedrock": "https://bedrock.{region}.amazonaws.com/foundation-models?byOutputModality=TEXT",
    "cohere": "https://api.cohere.com/v1/models?endpoint=chat&page_size=1000",
    "cloudflare": "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/models/search"
    "?task=Text+Generation&per_page=1000",
    "github": "https://models.github.ai/catalog/models",
}


def _models_url(spec: ProviderSpec, fields: Mapping[str, Any]) -> str | None:
    template = MODEL_LISTS.get(spec.discovery)
    if template is None or "base_url" in fields:
        return None
    return template.format_map(fields)


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of an endpoint that depend on the address."""

    base_url: str
    query: Mapping[str, str] = field(default_factory=dict)
    models_url: str | None = None
    token_param: TokenParam | None = None


def _target(spec: ProviderSpec, fields: Mapping[str, Any]) -> Target:
    parts = dict(fields)
    if "region" in fields:
        parts["vertex_host"] = _vertex_host(fields["region"])
    if "base_url" not in fields:
        return Target(spec.base_url_template.format_map(parts).rstrip("/"))
    return SHAPES[spec.shape](spec, parse_address(fields["base_url"]), parts)


def _vertex_host(region: str) -> str:
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


SHAPES: dict[str, Callable[[ProviderSpec, Address, Mapping[str, Any]], Target]] = {
    "plain": _plain,
    "tail": _tail,
    "ollama": _ollama,
    "google": _google,
    "anthropic": _anthropic,
    "azure": _azure,
}
