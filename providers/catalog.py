"""Every provider an account can be made of, as data: what it needs and how it is reached."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any, Literal

from providers.adapters.endpoint import Form
from providers.regions import REGIONS

Protocol = Literal["openai", "anthropic", "bedrock", "vertex", "azure_openai", "other"]
FieldKind = Literal[
    "secret", "text", "url", "host_label", "path_part", "headers", "seconds", "key_file"
]

# Exactly the providers of tests/providers/test_conformance.py; a test there compares the two.
TESTED: frozenset[str] = frozenset(
    {
        *("openai", "anthropic", "google_vertex", "google_ai_studio", "aws_bedrock"),
        *("azure_openai", "ollama", "lm_studio", "openrouter", "together_ai", "groq", "mistral"),
        *("xai", "fireworks_ai", "deepseek", "custom_openai_compatible"),
    }
)


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One entry of an account's credentials. ``required`` template parts (a region, a project)
    are not asked for when the account gives its own ``base_url``."""

    name: str
    label: str
    kind: FieldKind
    secret: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """What the catalog knows of a provider.

    ``base_url_template`` holds ``{name}`` parts filled from the credentials; ``shape`` names the
    rule of ``providers.endpoints`` for a base URL that the account gives. ``auth`` says how the
    key travels: ``bearer``, ``optional_bearer``, ``access_token`` (a short-lived bearer),
    ``api-key`` and ``x-api-key`` (headers of that name); others belong to unsupported providers.
    ``ibm_key`` and ``sber_key`` buy such a token. ``key_instead`` names the fields that together
    take the place of the API key, ``in_body`` those that go with every request under another name,
    ``routes`` the rule of ``providers.routes`` for models that are asked in another way.
    """

    id: str
    label: str
    base_url_template: str
    protocol: Protocol = "openai"
    auth: str = "bearer"
    env_key: str | None = None
    discovery: str = "models"
    known_models: tuple[str, ...] = ()
    shape: str = "plain"
    token_param: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    stream_options: bool = True
    form: Form = "chat"
    names_model: bool = True
    in_body: Mapping[str, str] = field(default_factory=dict)
    routes: str | None = None
    default_base_url: str | None = None
    api_key_label: str | None = None
    base_url_label: str | None = None
    requires_base_url: bool = False
    region_options: tuple[tuple[str, str], ...] = ()
    extra_fields: tuple[str, ...] = ()
    key_instead: tuple[str, ...] = ()
    notes: str = ""
    unsupported_reason: str | None = None

    @property
    def tested(self) -> bool:
        return self.id in TESTED

    @property
    def supported(self) -> bool:
        return self.unsupported_reason is None

    @property
    def requires_api_key(self) -> bool:
        return self.auth not in ("optional_bearer", "none")

    @property
    def requires_region(self) -> bool:
        return bool(self.region_options) or "region" in self.extra_fields

    @property
    def show_org_fields(self) -> bool:
        return "organization" in self.extra_fields

    @property
    def template_parts(self) -> frozenset[str]:
        """Names in the base URL template; ``vertex_host`` is made of the region."""
        names = {name for _, name, _, _ in Formatter().parse(self.base_url_template) if name}
        return frozenset("region" if name == "vertex_host" else name for name in names)

    @property
    def credential_fields(self) -> tuple[CredentialField, ...]:
        names = [*self.extra_fields, *self.key_instead, *OPTIONAL_WITH.get(self.key_instead, ())]
        if self.region_options:
            names.insert(0, "region")
        return (
            CredentialField(
                "api_key", self.api_key_label or "API key", "secret", True, self.requires_api_key
            ),
            CredentialField(
                "base_url",
                self.base_url_label or "Base URL",
                "url",
                required=self.requires_base_url,
            ),
            *(self._own_field(name) for name in names),
            *COMMON_FIELDS,
        )

    def _own_field(self, name: str) -> CredentialField:
        if name in SIGNING_KINDS:
            return CredentialField(name, FIELD_LABELS[name], SIGNING_KINDS[name], secret=True)
        in_template = name in self.template_parts
        kind: FieldKind = "path_part" if in_template or name == "api_version" else "text"
        if name in HOST_LABELS:
            kind = "host_label"
        is_required = in_template or name in self.in_body.values()
        return CredentialField(name, FIELD_LABELS[name], kind, required=is_required)

    def public(self) -> dict[str, Any]:
        """The catalog entry as JSON: the keys ArgusLM's clients read, then our own."""
        return {
            "id": self.id,
            "label": self.label,
            "tested": self.tested,
            "requires_api_key": self.requires_api_key,
            "requires_base_url": self.requires_base_url,
            "requires_region": self.requires_region,
            "show_org_fields": self.show_org_fields,
            "default_base_url": self.default_base_url,
            "api_key_label": self.api_key_label,
            "base_url_label": self.base_url_label,
            "region_options": [list(option) for option in self.region_options],
            "protocol": self.protocol,
            "supported": self.supported,
            "unsupported_reason": self.unsupported_reason,
            "notes": self.notes,
            "env_key": self.env_key,
            "credential_fields": [asdict(field) for field in self.credential_fields],
        }


HOST_LABELS = frozenset({"region", "resource"})
FIELD_LABELS = {
    "region": "Region",
    "organization": "Organization id",
    "project": "Project id",
    "api_version": "API version (dated, for classic deployments)",
    "resource": "Resource name",
    "account_id": "Account id",
    "endpoint": "Endpoint name",
    "tenant": "Tenant",
    "deployment": "Deployment",
    "scope": "Scope (GIGACHAT_API_PERS, _B2B or _CORP)",
    "aws_access_key_id": "IAM access key id (instead of the bearer token)",
    "aws_secret_access_key": "IAM secret access key",
    "aws_session_token": "Session token of temporary IAM keys",
    "service_account_json": "Service account key file, JSON (instead of the access token)",
}
SIGNING_KINDS: dict[str, FieldKind] = {
    "aws_access_key_id": "secret",
    "aws_secret_access_key": "secret",
    "aws_session_token": "secret",
    "service_account_json": "key_file",
}
AWS_KEYS = ("aws_access_key_id", "aws_secret_access_key")
OPTIONAL_WITH: dict[tuple[str, ...], tuple[str, ...]] = {AWS_KEYS: ("aws_session_token",)}
COMMON_FIELDS = (
    CredentialField("headers", "Extra headers", "headers", secret=True),
    CredentialField("connect_timeout_s", "Connect timeout in seconds", "seconds"),
    CredentialField("ttft_timeout_s", "Time to first token timeout in seconds", "seconds"),
    CredentialField("total_timeout_s", "Total timeout in seconds", "seconds"),
)


def _spec(provider_id: str, row: Mapping[str, Any]) -> ProviderSpec:
    own = dict(row)
    template = own.pop("base_url", "")
    if "{" not in template:
        own.setdefault("default_base_url", template or None)
    return ProviderSpec(
        id=provider_id,
        base_url_template=template,
        region_options=REGIONS[own.pop("regions")] if "regions" in own else (),
        extra_fields=tuple(own.pop("fields", ())),
        known_models=tuple(own.pop("known_models", ())),
        key_instead=tuple(own.pop("key_instead", ())),
        unsupported_reason=own.pop("reason", None),
        **own,
    )


def _read() -> dict[str, ProviderSpec]:
    rows = tomllib.loads((Path(__file__).parent / "catalog_data.toml").read_text("utf-8"))
    return {provider_id: _spec(provider_id, row) for provider_id, row in rows.items()}


CATALOG: dict[str, ProviderSpec] = _read()
