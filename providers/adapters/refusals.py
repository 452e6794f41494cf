"""An HTTP status that is no success, kept whole until somebody judges it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from providers.adapters.endpoint import Endpoint, TokenParam
from providers.adapters.events import error_message
from providers.measurement import now_ns, wall_clock

if TYPE_CHECKING:
    import httpx2

BODY_LIMIT = 65_536
# The explanation of a status comes with it. Whoever is late with it must not turn a refused key
# into a timeout.
BODY_PATIENCE_S = 2.0
RETRY_AFTER_LIMIT_S = 86_400.0
DIALECT_LIMIT, DIALECT_LIFE_S = 4_096, 3_600
_UNWELCOME = re.compile(
    r"(?i)un ?supported|not (?:be )?support|unrecogni[sz]ed|unknown|extra|not permitted|unexpected"
    r"|instead|not allowed|not accept|invalid (?:argument|parameter|field)|deprecated"
    r"|only the default"
)


class Refused(Exception):
    """The provider answered with a status outside 2xx."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers
        self.text = body.decode("utf-8", "replace")

    @property
    def body(self) -> Any:
        """The JSON of the body, or None when it holds none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    @property
    def provider_message(self) -> str:
        """What the provider says about it; web pages say nothing a log line could hold."""
        if message := error_message(self.body):
            return message
        is_page = self.text.lstrip()[:1] == "<"
        return "" if is_page or self.body is not None else self.text.strip()

    @property
    def retry_after_s(self) -> float | None:
        """Retry-After as seconds, from a number or an HTTP date (RFC 9110, section 10.2.3)."""
        value = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value):
            return min(float(value), RETRY_AFTER_LIMIT_S)
        try:
            wait_s = (parsedate_to_datetime(value) - wall_clock()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(wait_s, 0.0), RETRY_AFTER_LIMIT_S)


async def refuse_failed_status(response: httpx2.Response) -> None:
    """Response hook of every client: raises Refused, having read no more than 64 KiB and waited
    no longer than BODY_PATIENCE_S."""
    if not response.is_success:
        raise Refused(response.status_code, dict(response.headers), await _head(response))


async def _head(response: httpx2.Response) -> bytes:
    import httpx2

    body = b""
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) >= BODY_LIMIT:
                    break
    except (httpx2.TransportError, httpx2.DecodingError, TimeoutError):
        # The status is the news; a body that breaks off only costs its explanation.
        return body
    return body[:BODY_LIMIT]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The optional fields of a request that some servers refuse."""

    stream_options: bool
    token_param: TokenParam
    temperature: bool = True
    tried: frozenset[Literal["stream_options", "token_param", "temperature"]] = frozenset()

    @classmethod
    def of(cls, endpoint: Endpoint) -> Dialect:
        return cls(endpoint.stream_options, endpoint.token_param)

    def after(self, refused: Refused) -> Dialect | None:
        """How to ask again, or None when the refusal is not about an optional field."""
        if refused.status not in (400, 422):
            return None
        text = refused.text
        if self.stream_options and re.search(r"stream_options|include_usage", text):
            return replace(self, stream_options=False, tried=self.tried | {"stream_options"})
        if not _UNWELCOME.search(text):
            return None
        if re.search(rf"\b{self.token_param}\b", text) and "token_param" not in self.tried:
            return replace(self, token_param=self._other, tried=self.tried | {"token_param"})
        if self.temperature and "temperature" in text:
            return replace(self, temperature=False, tried=self.tried | {"temperature"})
        return None

    @property
    def _other(self) -> TokenParam:
        return "max_tokens" if self.token_param != "max_tokens" else "max_completion_tokens"  # noqa: S105 - names of request fields


class Dialects:
    """What each model of an account was found to take.

    Only for a while: a server may learn a field, and an account's own memory is in its row.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[Dialect, int]] = {}

    def of(self, endpoint: Endpoint, model: str) -> Dialect:
        usual = Dialect.of(endpoint)
        if not self._known:
            return usual
        place = (endpoint.identity, endpoint.connection_key, model, usual)
        known, until_ns = self._known.get(place, (usual, 0))
        return known if now_ns() < until_ns else usual

    def keep(self, endpoint: Endpoint, model: str, dialect: Dialect) -> None:
        if len(self._known) >= DIALECT_LIMIT:
            self._known.clear()
        place = (endpoint.identity, endpoint.connection_key, model, Dialect.of(endpoint))
        # Nothing of it counts as tried when it is used again: it may be refused in its turn.
        known = replace(dialect, tried=frozenset())
        self._known[place] = known, now_ns() + int(DIALECT_LIFE_S * 1e9)
