"""Credentials that are not sent: they sign each request, or buy a token that is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from providers.adapters.signing_aws import AwsKeys
from providers.adapters.signing_google import ServiceAccount
from providers.adapters.signing_keys import IbmKey, SberKey

if TYPE_CHECKING:
    import httpx2

Signing = AwsKeys | ServiceAccount | IbmKey | SberKey


class Signer(Protocol):
    """Puts its proof into every request of one client; may ask elsewhere by its transport."""

    async def sign(self, request: httpx2.Request, transport: httpx2.AsyncBaseTransport) -> None: ...
