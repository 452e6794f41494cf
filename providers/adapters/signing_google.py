"""Google service accounts: a key file that buys access tokens.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from providers.adapters.signing_tokens import TokenSigner
from providers.measurement import wall_clock

if TYPE_CHECKING:
    import httpx2

    from providers.adapters.signing import Signer

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_LIFE_S = 3600


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What the JSON key file says; its tokens last an hour."""

    seller: ClassVar[str] = "Google"
    bearer: ClassVar[str] = "the service account"

    email: str
    private_key: str = field(repr=False)
    token_uri: str
    key_id: str = ""

    @classmethod
    def of(cls, document: str) -> ServiceAccount:
        """Raises ValueError with a sentence that says what is wrong with the file."""
        try:
            found = json.loads(document)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("type") != "service_account":
            raise ValueError("This is not the JSON key file of a service account.")
        email, key, uri = (
            _text(found, name) for name in ("client_email", "private_key", "token_uri")
        )
        if not _is_private(uri):
            raise ValueError("The key file's token_uri is no https:// address.")
        account = cls(email, key, uri, str(found.get("private_key_id") or ""))
        account.load_key()
        return account

    @property
    def secrets(self) -> tuple[str, ...]:
        lines = [line for line in self.private_key.splitlines() if "-----" not in line]
        return (self.private_key, "".join(lines), *(line for line in lines if len(line) > 20))

    def signer(self) -> Signer:
        return TokenSigner(self)

    async def order(self) -> httpx2.Request:
        import httpx2

        now_s = int(wall_clock().timestamp())
        assertion = await asyncio.to_thread(self.assertion, now_s)
        form = {"grant_type": GRANT, "assertion": assertion}
        return httpx2.Request("POST", self.token_uri, data=form)

    def load_key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self.private_key.encode(), None)
        except (ValueError, TypeError) as exc:
            raise ValueError("The key file's private_key cannot be read.") from exc
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("The key file's private_key is not an RSA key.")
        return key

    def assertion(self, now_s: int) -> str:
        """A signed claim (RFC 7523) that the token endpoint takes in exchange for a token."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        head = {"alg": "RS256", "typ": "JWT", **({"kid": self.key_id} if self.key_id else {})}
        claim = {"iss": self.email, "scope": SCOPE, "aud": self.token_uri}
        claim |= {"iat": now_s, "exp": now_s + TOKEN_LIFE_S}  # type: ignore[dict-item]
        signed = b".".join(_base64(json.dumps(part).encode()) for part in (head, claim))
        proof = self.load_key().sign(signed, PKCS1v15(), SHA256())
        return b".".join((signed, _base64(proof))).decode()


def _is_private(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or host in ("localhost", "127.0.0.1", "::1"))


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"The key file has no {name}.")
    return value


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
