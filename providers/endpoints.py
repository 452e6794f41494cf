"""From an account's credentials to the endpoint its exchanges go to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypedDict
from urllib.parse import urlsplit

from providers.adapters.endpoint import Endpoint, TokenParam
from providers.adapters.endpoint import Protocol as WireProtocol
from providers.adapters.signing import Signing
from providers.adapters.signing_aws import AwsKeys
from providers.adapters.signing_google import ServiceAccount
from providers.adapters.signing_keys import SBER_SCOPE, IbmKey, SberKey
from providers.catalog import CATALOG, ProviderSpec
from providers.credentials import canonical, credential_errors
from providers.errors import ErrorClass, ExchangeFailed, Failure
from providers.routes import with_routes
from providers.targets import Target, target_of

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


def resolve(provider_type: str, credentials: Mapping[str, Any]) -> Endpoint:
    """Where the account's exchanges go. Raises ExchangeFailed (bad_request) with the first error's
    sentence when ``credential_errors`` finds any."""
    errors = credential_errors(provider_type, credentials)
    if errors:
        sentence = next(iter(errors.values()))[0]
        raise ExchangeFailed(Failure(ErrorClass.BAD_REQUEST, sentence))
    spec = CATALOG[provider_type]
    fields = canonical(spec, credentials)
    target = target_of(spec, fields)
    key = fields.get("api_key")
    in_header = spec.auth == "api-key"
    signing = _signing(spec, fields, target)
    endpoint = Endpoint(
        provider_type=provider_type,
        base_url=target.base_url,
        protocol=_wire(spec),
        api_key=None if in_header or signing else key,
        headers=_headers(spec, fields, key if in_header else None),
        query=target.query,
        discovery=_discovery(spec),
        stream_options=spec.stream_options,
        token_param=_token_param(spec, target),
        models_url=target.models_url or _models_url(spec, fields),
        known_models=spec.known_models or _named_in_address(spec, fields),
        form=spec.form,
        names_model=spec.names_model,
        extra_body={name: fields[field] for name, field in spec.in_body.items()},
        signing=signing,
        **_timeouts(fields),
    )
    return with_routes(spec.routes, _by_iam(endpoint))


def _by_iam(endpoint: Endpoint) -> Endpoint:
    """SageMaker takes IAM signatures at its own address only, not at the OpenAI one."""
    signing, root = endpoint.signing, endpoint.base_url.removesuffix("/openai/v1")
    if isinstance(signing, AwsKeys) and signing.service == "sagemaker":
        return replace(endpoint, form="sagemaker", base_url=root)
    return endpoint


def _named_in_address(spec: ProviderSpec, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What is deployed at an address is the one model that is there."""
    names = spec.template_parts & {"endpoint", "deployment"}
    return tuple(fields[name] for name in names if name in fields)


def _token_param(spec: ProviderSpec, target: Target) -> TokenParam:
    """An address may tell how chats are limited; completions know one name only."""
    return spec.token_param if spec.form != "chat" else target.token_param or spec.token_param


def _signing(spec: ProviderSpec, fields: Mapping[str, Any], target: Target) -> Signing | None:
    if spec.auth in KEY_EXCHANGES:
        return KEY_EXCHANGES[spec.auth](fields)
    if "service_account_json" in fields:
        return ServiceAccount.of(fields["service_account_json"])
    if "aws_access_key_id" not in fields:
        return None
    return AwsKeys(
        fields["region"],
        fields["aws_access_key_id"],
        fields["aws_secret_access_key"],
        fields.get("aws_session_token"),
        service=_aws_service(target.base_url),
    )


def _aws_service(base_url: str) -> str:
    """A signature names the service, and the host tells it."""
    host = urlsplit(base_url).hostname or ""
    if host.startswith("bedrock-mantle."):
        return "bedrock-mantle"
    return "sagemaker" if ".sagemaker." in host else "bedrock"


KEY_EXCHANGES: dict[str, Callable[[Mapping[str, Any]], Signing]] = {
    "ibm_key": lambda fields: IbmKey(fields["api_key"]),
    "sber_key": lambda fields: SberKey(fields["api_key"], fields.get("scope", SBER_SCOPE)),
}


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
        if name in fields and name not in spec.template_parts | set(spec.in_body.values()):
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
