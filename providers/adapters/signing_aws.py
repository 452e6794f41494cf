"""Signature Version 4: requests signed with IAM access keys.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

from providers.measurement import wall_clock

if TYPE_CHECKING:
    import httpx2

    from providers.adapters.signing import Signer


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """IAM access keys; the secret one never leaves this machine."""

    region: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    service: str = "bedrock"

    @property
    def secrets(self) -> tuple[str, ...]:
        token = (self.session_token,) if self.session_token else ()
        return (self.access_key_id, self.secret_access_key, *token)

    def signer(self) -> Signer:
        return _AwsSigner(self)

    def headers(
        self, method: str, url: str, host: str, body: bytes, at: datetime
    ) -> dict[str, str]:
        """The headers that sign this request at this moment; they hold for some minutes."""
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        signed = {"host": host, "x-amz-date": stamp}
        if self.session_token:
            signed["x-amz-security-token"] = self.session_token
        names = ";".join(signed)
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        asked = _canonical(method, url, signed, names, body)
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{_sha256(asked.encode())}"
        signature = hmac.new(self._key(stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        proof = f"Credential={self.access_key_id}/{scope}, SignedHeaders={names}"
        sent = {name: value for name, value in signed.items() if name != "host"}
        return {**sent, "authorization": f"AWS4-HMAC-SHA256 {proof}, Signature={signature}"}

    def _key(self, day: str) -> bytes:
        key = b"AWS4" + self.secret_access_key.encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _canonical(method: str, url: str, signed: dict[str, str], names: str, body: bytes) -> str:
    parts = urlsplit(url)
    # Every service but S3 signs the path as it is sent, encoded once more.
    path = quote(parts.path or "/", safe="/-_.~")
    pairs = sorted((_quoted(k), _quoted(v)) for k, v in parse_qsl(parts.query, True))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = [f"{name}:{value.strip()}\n" for name, value in signed.items()]
    return "\n".join([method, path, query, "".join(lines), names, _sha256(body)])


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(slots=True)
class _AwsSigner:
    keys: AwsKeys

    async def sign(self, request: httpx2.Request, transport: httpx2.AsyncBaseTransport) -> None:
        host = request.headers.get("host") or request.url.netloc.decode()
        headers = self.keys.headers(
            request.method, str(request.url), host, request.content, wall_clock()
        )
        request.headers.update(headers)
