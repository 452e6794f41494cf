"""What an account's credentials may be, and what of them may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypedDict

from providers.addresses import address_fault, parse_address
from providers.catalog import AWS_KEYS, CATALOG, SIGNING_KINDS, CredentialField, ProviderSpec
from providers.field_faults import field_fault, host_label_fault

Errors = dict[str, list[str]]

# Names that ArgusLM's own pages and other tools use for the same thing.
SAME_AS = {
    "organization_id": "organization",
    "project_id": "project",
    "access_token": "api_key",
    "location": "region",
}


def credential_errors(provider_type: object, credentials: object) -> Errors:
    """Sentences per field, empty when an endpoint can be made of the credentials."""
    spec = CATALOG.get(provider_type) if isinstance(provider_type, str) else None
    if spec is None:
        return {"provider_type": ["There is no such provider; GET /providers/catalog lists them."]}
    if spec.unsupported_reason:
        return {"provider_type": [f"{spec.label} cannot be used. {spec.unsupported_reason}"]}
    if not isinstance(credentials, Mapping):
        return {"credentials": ["Credentials must be an object of fields and values."]}
    return _field_errors(spec, credentials)


def _field_errors(spec: ProviderSpec, credentials: Mapping[Any, Any]) -> Errors:
    fields = {field.name: field for field in spec.credential_fields}
    names = {sent: _own_name(sent, fields) for sent in credentials}
    errors: Errors = {}
    for sent, name in names.items():
        value = credentials[sent]
        if _is_blank(value):
            continue
        fault = field_fault(fields[name], value) if name else _unknown(spec)
        if fault:
            errors.setdefault(_shown(sent), []).append(fault)
    present = {name for sent, name in names.items() if name and not _is_blank(credentials[sent])}
    for field in _missing(spec, present):
        errors.setdefault(field.name, []).append(_needed(spec, field))
    if "api_key" in present and present.intersection(spec.key_instead):
        errors.setdefault("api_key", []).append(
            f"Give either api_key or {' and '.join(spec.key_instead)}, not both."
        )
    return errors


def _own_name(sent: object, fields: Mapping[str, CredentialField]) -> str | None:
    if not isinstance(sent, str):
        return None
    name = sent if sent in fields else SAME_AS.get(sent)
    return name if name in fields else None


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(" "))


def _unknown(spec: ProviderSpec) -> str:
    names = ", ".join(field.name for field in spec.credential_fields)
    return f"{spec.label} does not take this field. It takes: {names}."


def _shown(sent: object) -> str:
    """The key of an error: the field as sent, unless that is no name at all."""
    is_name = isinstance(sent, str) and re.fullmatch(r"[\w.-]{1,64}", sent, re.ASCII)
    return str(sent) if is_name else "credentials"


def _missing(spec: ProviderSpec, present: set[str]) -> list[CredentialField]:
    waived = spec.template_parts if "base_url" in present and not _always(spec) else frozenset()
    needed = {field.name for field in spec.credential_fields if field.required} - waived
    if present.intersection(spec.key_instead):
        # A signature names the region even where the address does not.
        regional = {"region"} if spec.key_instead == AWS_KEYS else set()
        needed = (needed - {"api_key"}) | set(spec.key_instead) | regional
    return [field for field in spec.credential_fields if field.name in needed - present]


def _always(spec: ProviderSpec) -> bool:
    """Whether the other template parts are needed even beside a base URL."""
    return spec.base_url_template.startswith("{base_url}")


def _needed(spec: ProviderSpec, field: CredentialField) -> str:
    if field.name == "api_key" and spec.key_instead:
        return f"{spec.label} needs api_key, or {' and '.join(spec.key_instead)}."
    example = spec.default_base_url if field.kind == "url" else None
    return f"{spec.label} needs {field.name}" + (f", for example {example}." if example else ".")


def canonical(spec: ProviderSpec, credentials: Mapping[str, Any]) -> dict[str, Any]:
    """The credentials under the catalog's own names, without blanks and outer spaces.

    This is what is stored; unknown names and values that are not text pass unchanged.
    """
    fields = {field.name: field for field in spec.credential_fields}
    own: dict[str, Any] = {}
    for sent, value in credentials.items():
        name = _own_name(sent, fields) or sent
        if _is_blank(value) or (name != sent and name in own):
            continue
        own[name] = _trimmed(value)
    return own


def _trimmed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _stripped(text) for name, text in value.items()}
    return _stripped(value)


def _stripped(value: Any) -> Any:
    return value.strip(" ") if isinstance(value, str) else value


class PublicView(TypedDict):
    """The part of the credentials an account shows; None where nothing was given."""

    base_url: str | None
    region: str | None


def public_view(provider_type: object, credentials: object) -> PublicView:
    if not isinstance(credentials, Mapping):
        return {"base_url": None, "region": None}
    region = credentials.get("region") or credentials.get("location")
    return {"base_url": _shown_url(credentials.get("base_url")), "region": _shown_region(region)}


def _shown_url(value: object) -> str | None:
    text = value.strip(" ") if isinstance(value, str) else ""
    return parse_address(text).public if text and not address_fault(text) else None


def _shown_region(value: object) -> str | None:
    text = value.strip(" ") if isinstance(value, str) else ""
    return text if text and not host_label_fault(text) else None


SECRET_FIELDS = ("api_key", "headers", *SIGNING_KINDS)


def merge(provider_type: object, old: object, patch: object) -> tuple[dict[str, Any], Errors]:
    """The credentials after a PATCH and what is wrong with them.

    A given field replaces the stored one, null or "" removes it. A stored secret is never sent to
    another host unasked: when the address changes it has to be given again.
    """
    spec = CATALOG.get(provider_type) if isinstance(provider_type, str) else None
    if spec is None or not isinstance(patch, Mapping):
        return {}, credential_errors(provider_type, patch)
    stored = canonical(spec, old) if isinstance(old, Mapping) else {}
    fields = {field.name: field for field in spec.credential_fields}
    named = {_own_name(sent, fields) or sent for sent in patch}
    kept = {name: value for name, value in stored.items() if name not in named}
    merged = kept | canonical(spec, patch)
    errors = credential_errors(provider_type, merged)
    if not errors and _moves(spec, stored, merged):
        errors = {name: [MOVED] for name in SECRET_FIELDS if name in kept}
    return merged, errors


MOVED = "The address changes: send this again, a stored secret is never sent to another host."


def _moves(spec: ProviderSpec, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return _place(spec, old) != _place(spec, new)


def _place(spec: ProviderSpec, fields: Mapping[str, Any]) -> tuple[object, object]:
    """What decides whose host is asked: a base URL's origin, or a resource name in the template.

    A region picks another host of the same vendor, so it may change freely.
    """
    given = fields.get("base_url") or spec.default_base_url
    readable = isinstance(given, str) and not address_fault(given)
    origin = parse_address(given).origin if readable and isinstance(given, str) else None
    named = fields.get("resource") if "base_url" not in fields else None
    return origin, named
