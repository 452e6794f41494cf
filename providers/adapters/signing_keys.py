"""API keys that a vendor wants exchanged for a token: IBM Cloud's and Sber's."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from providers.adapters.signing_tokens import TokenSigner

if TYPE_CHECKING:
    import httpx2

    from providers.adapters.signing import Signer


# Of a private person; firms have GIGACHAT_API_B2B or GIGACHAT_API_CORP.
SBER_SCOPE = "GIGACHAT_API_PERS"


@dataclass(frozen=True, slots=True)
class IbmKey:
    """https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey"""

    seller: ClassVar[str] = "IBM Cloud"
    bearer: ClassVar[str] = "the API key"
    url: ClassVar[str] = "https://iam.cloud.ibm.com/identity/token"

    key: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.key,)

    def signer(self) -> Signer:
        return TokenSigner(self)

    async def order(self) -> httpx2.Request:
        import httpx2

        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": self.key}
        return httpx2.Request("POST", self.url, data=form, headers={"accept": "application/json"})


@dataclass(frozen=True, slots=True)
class SberKey:
    """https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-token"""

    seller: ClassVar[str] = "Sber"
    bearer: ClassVar[str] = "the authorization key"
    url: ClassVar[str] = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"

    key: str = field(repr=False)
    scope: str = SBER_SCOPE

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.key,)

    def signer(self) -> Signer:
        return TokenSigner(self)

    async def order(self) -> httpx2.Request:
        import httpx2

        headers = {"authorization": f"Basic {self.key}", "rquid": str(uuid.uuid4())}
        return httpx2.Request("POST", self.url, data={"scope": self.scope}, headers=headers)
