"""Credentials that are not sent but sign each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from providers.adapters.signing_aws import AwsKeys
from providers.adapters.signing_google import ServiceAccount

if TYPE_CHECKING:
    import httpx2

Signing = AwsKeys | ServiceAccount


class Signer(Protocol):
    """Puts its proof into every request of one client; may ask elsewhere by its transport."""

    async def sign(self, request: httpx2.Request, transport: httpx2.AsyncBaseTransport) -> None: ...
