"""Where an exchange goes and what it asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from providers.addresses import PUBLIC_PARAMETERS

if TYPE_CHECKING:
    from providers.adapters.signing import Signing

Protocol = Literal["openai", "anthropic", "converse"]
# How a chat is asked for where it is not the protocol's own way; the wires say what each means.
Form = Literal["chat", "completion", "fim", "sagemaker", "vertex", "watsonx"]
TokenParam = Literal["max_tokens", "max_completion_tokens"]

PUBLIC_HEADERS = frozenset(
    {
        *("accept", "anthropic-beta", "anthropic-version", "content-type"),
        *("openai-organization", "openai-project"),
    }
)


@dataclass(frozen=True, slots=True)
class Route:
    """Models whose names begin as ``names`` says (a regular expression) are asked differently."""

    names: str
    changes: Mapping[str, Any] = field(repr=False)


class Unsendable(Exception):
    """The endpoint cannot be put into an HTTP request; says why in a sentence."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider account as the wire sees it.

    ``discovery`` "models" is the protocol's own list, "ollama_tags" Ollama's ``/api/tags``, "none"
    means the provider has no list of its own and ``known_models`` stands for it, any other word is
    a list in a form of its own (``providers.adapters.discovery.ID_KEYS``). ``models_url`` is
    set where the list is not at ``{base_url}/models``. A ``{model}`` in ``base_url`` (Azure's
    deployment URLs) is replaced by the quoted name of the LLM. ``identity`` names the account: when
    its credentials change, the connections made with the old ones are dropped. ``routes`` are for
    clouds that serve the models of several makers, each in its own way. ``extra_body`` goes with
    every request; ``names_model`` is False where the address alone tells the model.
    """

    provider_type: str
    base_url: str
    protocol: Protocol = "openai"
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    discovery: str = "models"
    connect_timeout_s: float = 10.0
    ttft_timeout_s: float = 60.0
    total_timeout_s: float = 120.0
    stream_options: bool = True
    token_param: TokenParam = "max_tokens"  # noqa: S105 - the name of a request field
    identity: str = ""
    models_url: str | None = None
    known_models: tuple[str, ...] = ()
    form: Form = "chat"
    names_model: bool = True
    extra_body: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    signing: Signing | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Endpoint({self.provider_type!r}, {self.protocol!r}, {self.host!r})"

    @property
    def host(self) -> str:
        """Host and port as a person would name them; never the login part of the address."""
        try:
            parts = urlsplit(self.base_url)
            return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
        except ValueError:
            return ""

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the address is a loopback one by its very name."""
        host = (urlsplit(self.base_url).hostname or "").rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything a provider could echo that must not be shown."""
        values = [self.api_key or ""]
        values += [v for name, v in self.query.items() if name.lower() not in PUBLIC_PARAMETERS]
        values += [v for name, v in self.headers.items() if name.lower() not in PUBLIC_HEADERS]
        values += self.signing.secrets if self.signing else ()
        bare = [value.split(" ", 1)[-1] for value in values]
        return tuple({value for value in [*values, *bare] if len(value) >= 6})

    def towards(self, model: str) -> Endpoint:
        """Where this model of the account is asked."""
        for nth, route in enumerate(self.routes):
            if re.match(route.names, model):
                # Connections of one way must not count as outdated ones of another.
                identity = self.identity and f"{self.identity}/{nth}"
                return replace(self, routes=(), identity=identity, **route.changes)
        return self

    def check_sendable(self) -> None:
        """Raises Unsendable; libraries differ in what they let through or send elsewhere."""
        if not self.host or not self.base_url.startswith(("http://", "https://")):
            raise Unsendable("The base URL is no http:// or https:// address.")
        values = [self.api_key or "", *self.headers, *self.headers.values()]
        if not all(value.isascii() and value.isprintable() for value in values):
            raise Unsendable("The API key or a header has characters that HTTP cannot carry.")

    @property
    def connection_key(self) -> tuple[Any, ...]:
        """Endpoints with equal keys may share a client and its connections."""
        return (
            self.protocol,
            self.base_url,
            self.api_key,
            tuple(sorted(self.headers.items())),
            tuple(sorted(self.query.items())),
            self.signing,
        )


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """``mark`` stands in front of the prompt and differs from request to request, so that no
    provider finds the prompt's beginning in a cache: plain ASCII, always of the same length.
    """

    model: str
    prompt: str
    max_tokens: int = 64
    temperature: float | None = None
    mark: str = ""

    @property
    def text(self) -> str:
        return self.mark + self.prompt

    @property
    def unmarked(self) -> ChatRequest:
        return replace(self, mark="") if self.mark else self


@dataclass(frozen=True, slots=True)
class DiscoveredModel:
    """A model a provider lists; ``metadata`` holds a few plain values, all optional."""

    upstream_id: str
    metadata: dict[str, Any] = field(default_factory=dict)
