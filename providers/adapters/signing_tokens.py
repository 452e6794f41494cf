"""Access tokens that are bought with a longer-lived secret and renewed before they end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from providers.adapters import faults
from providers.adapters.endpoint import Endpoint
from providers.errors import ErrorClass, ExchangeFailed, Failure, sanitise
from providers.measurement import now_ns, wall_clock

if TYPE_CHECKING:
    import httpx2

USUAL_LIFE_S = 1800
RENEW_BEFORE_S = 300
ANSWER_LIMIT = 65_536


class Grant(Protocol):
    """What buys the tokens; ``seller`` and ``bearer`` name both sides in a failure."""

    seller: ClassVar[str]
    bearer: ClassVar[str]

    @property
    def secrets(self) -> tuple[str, ...]: ...

    async def order(self) -> httpx2.Request:
        """The request whose answer holds a token (RFC 6749, section 5.1)."""
        ...


class TokenSigner:
    def __init__(self, grant: Grant) -> None:
        self._grant = grant
        self._token = ""
        self._until_ns = 0
        self._until_s = 0.0
        self._lock = asyncio.Lock()

    async def sign(self, request: httpx2.Request, transport: httpx2.AsyncBaseTransport) -> None:
        async with self._lock:
            if self._has_run_out():
                await self._renew(request, transport)
        request.headers["authorization"] = f"Bearer {self._token}"

    def _has_run_out(self) -> bool:
        """By either clock: the monotonic one stands still while a machine sleeps."""
        return now_ns() >= self._until_ns or wall_clock().timestamp() >= self._until_s

    async def _renew(self, request: httpx2.Request, transport: httpx2.AsyncBaseTransport) -> None:
        """Raises ExchangeFailed: without a token the provider need not be asked."""
        import httpx2

        buying = await self._grant.order()
        buying.extensions["timeout"] = request.extensions.get("timeout", {})
        try:
            # Not through the client, whose hooks would sign this request too.
            response = await transport.handle_async_request(buying)
            found = _object(await _bounded(response))
        except httpx2.TransportError as exc:
            there = Endpoint("tokens", str(buying.url))
            failure = faults.of_exception(exc, there, has_answered=False)
            assert failure is not None, "every error of a transport has a class"
            raise ExchangeFailed(failure) from None
        token = found.get("access_token")
        if response.status_code != 200 or not isinstance(token, str) or not token.isascii():
            raise ExchangeFailed(self._refusal(response.status_code, found))
        self._token = token
        life_s = max(_life_s(found) - RENEW_BEFORE_S, 10)
        self._until_ns = now_ns() + int(life_s * 1e9)
        self._until_s = wall_clock().timestamp() + life_s

    def _refusal(self, status: int, found: dict[str, Any]) -> Failure:
        names = ("error", "error_description", "errorCode", "errorMessage", "message")
        said = [text for name in names if isinstance(text := found.get(name), str)]
        told = sanitise(": ".join(said), self._grant.secrets)
        grant = self._grant
        sentence = f"{grant.seller} gave no access token for {grant.bearer} (status {status})."
        message = f"{sentence} It said: {told}" if told else sentence
        return Failure(_class_of(status, is_explained=bool(told)), message[:500], status)


def _class_of(status: int, *, is_explained: bool) -> ErrorClass:
    """A refused grant is a 400 or 401 (RFC 6749, section 5.2), or a 200 that says what is wrong."""
    if status == 200 and not is_explained:
        return ErrorClass.MALFORMED
    return ErrorClass.AUTH if status in (200, 400) else faults.status_class(status)


def _life_s(found: dict[str, Any]) -> float:
    """Seconds the token lasts: as a duration, or as the moment of its end in milliseconds."""
    life_s, end_ms = found.get("expires_in"), found.get("expires_at")
    if isinstance(life_s, int):
        return life_s
    if isinstance(end_ms, int) and end_ms > 1e12:
        return end_ms / 1000 - wall_clock().timestamp()
    return USUAL_LIFE_S


async def _bounded(response: httpx2.Response) -> bytes:
    body = b""
    try:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > ANSWER_LIMIT:
                break
    finally:
        await response.aclose()
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
