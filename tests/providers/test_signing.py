"""Signatures are those of the vendors' own libraries, and they reach the wire."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange
from providers.adapters.signing_aws import AwsKeys
from providers.adapters.signing_google import SCOPE, ServiceAccount
from providers.credentials import credential_errors
from providers.endpoints import resolve
from providers.measurement import wall_clock
from tests.providers.raw_server import Received, make_good, raw_server

# The example keys of Amazon's documentation.
KEYS = AwsKeys("eu-central-1", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
RUNTIME = "bedrock-runtime.eu-central-1.amazonaws.com"
CHAT = f"https://{RUNTIME}/openai/v1/chat/completions"
LIST = "bedrock.eu-central-1.amazonaws.com"
BODY = b'{"model":"m"}'
REQUEST = ChatRequest("m", "p", max_tokens=5)

# Made with botocore 1.44.5, SigV4Auth(credentials, "bedrock", "eu-central-1").
BOTOCORE = [
    ("POST", CHAT, BODY, None, "8549983c09e8c90fbd3ee7b4be34d6281fc00116e59c24409c833a37f43381ac"),
    (
        "GET",
        f"https://{LIST}/foundation-models?byOutputModality=TEXT&a=b%20c",
        b"",
        None,
        "7e315cb49bc9ebe4356273742d2f264329d29004207c9fe87d7f184013aea436",
    ),
    (
        "POST",
        CHAT,
        BODY,
        "FwoGZXIvYXdzEXAMPLETOKEN//==",
        "0bc68130a922af0657b295367108b82893f171dad6a9645e6146bc8f2eaee81f",
    ),
    (
        "POST",
        f"https://{RUNTIME}/model/a%3Ab/x",
        BODY,
        None,
        "285a1ebe0da100d1bf80147a75eed6e193a4491771d8ac515bf067f54693c95d",
    ),
]


@pytest.mark.parametrize(("method", "url", "body", "token", "signature"), BOTOCORE)
def test_a_signature_is_the_one_of_botocore(
    method: str, url: str, body: bytes, token: str | None, signature: str
) -> None:
    host = url.split("/")[2]

    headers = replace(KEYS, session_token=token).headers(method, url, host, body, AT)

    assert headers["authorization"].endswith(f"Signature={signature}")
    assert headers["x-amz-date"] == "20260314T150926Z"
    assert headers.get("x-amz-security-token") == token


def test_a_signature_is_the_one_of_amazons_test_suite() -> None:
    keys = replace(KEYS, region="us-east-1", service="service")
    host = "example.amazonaws.com"

    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    headers = keys.headers("GET", f"https://{host}/", host, b"", at)

    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


async def test_every_request_to_bedrock_is_signed_anew() -> None:
    pool = ClientPool()
    async with raw_server(make_good()) as server:
        endpoint = Endpoint("aws_bedrock", f"{server.url}/openai/v1", signing=KEYS)
        outcomes = [await exchange(endpoint, REQUEST, clients=pool) for _ in range(2)]
    await pool.close()

    assert all(outcome.ok for outcome in outcomes)
    for received in server.received:
        assert received.headers["authorization"] == proof_of(received, server.url)
        assert KEYS.secret_access_key not in repr(received)


def proof_of(received: Received, url: str) -> str:
    at = datetime.strptime(received.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    body = json.dumps(received.body, ensure_ascii=False, separators=(",", ":")).encode()
    host = received.headers["host"]
    return KEYS.headers("POST", url + received.target, host, body, at)["authorization"]


def make_key_file(token_uri: str, **given: Any) -> str:
    pem = PRIVATE.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    facts = {
        "type": "service_account",
        "client_email": "watch@project-1.iam.gserviceaccount.com",
        "private_key_id": "key-1",
        "private_key": pem,
        "token_uri": token_uri,
    }
    return json.dumps(facts | given)


PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class TokenServer:
    url: str = ""
    forms: list[dict[str, list[str]]] = field(default_factory=list)


@asynccontextmanager
async def token_server(status: int = 200, **answer: Any) -> AsyncIterator[TokenServer]:
    told = TokenServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        told.forms.append(parse_qs((await reader.readexactly(length)).decode()))
        body = json.dumps(answer).encode()
        start = (
            f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        writer.write(start.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
    async with server:
        yield told


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_a_service_account_buys_one_token_for_many_requests() -> None:
    pool = ClientPool()
    async with (
        token_server(access_token="ya29.token-1", expires_in=3599) as bank,
        raw_server(make_good()) as server,
    ):
        signing = ServiceAccount.of(make_key_file(bank.url))
        endpoint = Endpoint("google_vertex", f"{server.url}/v1", signing=signing)
        outcomes = [await exchange(endpoint, REQUEST, clients=pool) for _ in range(3)]
    await pool.close()

    assert all(outcome.ok for outcome in outcomes)
    sent = {received.headers["authorization"] for received in server.received}
    assert sent == {"Bearer ya29.token-1"}
    assert len(bank.forms) == 1
    check_assertion(bank)


async def test_a_token_that_ran_out_while_the_machine_slept_is_bought_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = ClientPool()
    async with (
        token_server(access_token="ya29.token-1", expires_in=3599) as bank,
        raw_server(make_good()) as server,
    ):
        signing = ServiceAccount.of(make_key_file(bank.url))
        endpoint = Endpoint("google_vertex", f"{server.url}/v1", signing=signing)
        await exchange(endpoint, REQUEST, clients=pool)
        # The monotonic clock stands still in a sleep, the wall clock does not.
        monkeypatch.setattr(
            "providers.adapters.signing_tokens.wall_clock",
            lambda: wall_clock() + timedelta(hours=2),
        )
        outcomes = [await exchange(endpoint, REQUEST, clients=pool) for _ in range(2)]
    await pool.close()

    assert all(outcome.ok for outcome in outcomes)
    assert len(bank.forms) == 2


def check_assertion(bank: TokenServer) -> None:
    assert bank.forms[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claim, proof = bank.forms[0]["assertion"][0].split(".")
    assert decoded(head) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    said = decoded(claim)
    assert (said["iss"], said["aud"]) == ("watch@project-1.iam.gserviceaccount.com", bank.url)
    assert (said["scope"], said["exp"] - said["iat"]) == (SCOPE, 3600)
    signature = base64.urlsafe_b64decode(proof + "=" * (-len(proof) % 4))
    signed = f"{head}.{claim}".encode()
    PRIVATE.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())


async def test_an_account_without_a_token_is_an_auth_failure_in_a_sentence() -> None:
    pool = ClientPool()
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    async with token_server(400, **refusal) as bank, raw_server(make_good()) as server:
        signing = ServiceAccount.of(make_key_file(bank.url))
        endpoint = Endpoint("google_vertex", f"{server.url}/v1", signing=signing)
        outcome = await exchange(endpoint, REQUEST, clients=pool)
    await pool.close()

    assert outcome.failure is not None
    assert outcome.failure.error_class == "auth"
    assert outcome.failure.message == (
        "Google gave no access token for the service account (status 400). "
        "It said: invalid_grant: Invalid JWT Signature."
    )
    assert server.received == []


@pytest.mark.parametrize(
    ("status", "answer", "error_class"),
    [
        (200, {"hello": "there"}, "malformed"),
        (401, {"error": "unauthorized_client"}, "auth"),
        (403, {}, "auth"),
        (404, {}, "not_found"),
        (429, {"error": "rate_limit_exceeded"}, "rate_limited"),
        (500, {}, "server_error"),
        (503, {}, "overloaded"),
    ],
)
async def test_only_a_refused_grant_is_an_auth_failure(
    status: int, answer: dict[str, Any], error_class: str
) -> None:
    pool = ClientPool()
    async with token_server(status, **answer) as bank:
        signing = ServiceAccount.of(make_key_file(bank.url))
        endpoint = Endpoint("google_vertex", "http://127.0.0.1:9/v1", signing=signing)
        outcome = await exchange(endpoint, REQUEST, clients=pool)
    await pool.close()

    assert outcome.failure is not None
    assert (outcome.failure.error_class, outcome.failure.status_code) == (error_class, status)


AWS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret-0123456789"}


def test_iam_keys_make_an_endpoint_without_an_api_key() -> None:
    endpoint = resolve("aws_bedrock", {"region": "eu-central-1", **AWS})

    assert endpoint.base_url == f"https://{RUNTIME}/openai/v1"
    assert endpoint.signing == AwsKeys("eu-central-1", "AKIDEXAMPLE", "secret-0123456789")
    assert "secret-0123456789" in endpoint.secrets
    assert "secret-0123456789" not in repr(endpoint) + repr(endpoint.signing)


def test_a_key_file_makes_an_endpoint_without_an_access_token() -> None:
    document = make_key_file("https://oauth2.googleapis.com/token")
    credentials = {"region": "global", "project": "p1", "service_account_json": document}

    endpoint = resolve("google_vertex", credentials)

    assert isinstance(endpoint.signing, ServiceAccount)
    assert endpoint.api_key is None
    assert "BEGIN" not in repr(endpoint) + repr(endpoint.signing)


@pytest.mark.parametrize(
    ("provider", "credentials", "field_name", "sentence"),
    [
        (
            "aws_bedrock",
            {"region": "us-east-1"},
            "api_key",
            "needs api_key, or aws_access_key_id and",
        ),
        (
            "aws_bedrock",
            {"region": "us-east-1", "aws_access_key_id": "AKIDEXAMPLE"},
            "aws_secret_access_key",
            "needs aws_secret_access_key",
        ),
        ("aws_bedrock", {"base_url": "https://x.example/v1", **AWS}, "region", "needs region"),
        (
            "aws_bedrock",
            {"region": "us-east-1", "api_key": "k-0123456789", **AWS},
            "api_key",
            "Give either api_key or aws_access_key_id and aws_secret_access_key, not both.",
        ),
        (
            "google_vertex",
            {"region": "global", "project": "p1", "service_account_json": "{}"},
            "service_account_json",
            "This is not the JSON key file of a service account.",
        ),
        (
            "google_vertex",
            {
                "region": "global",
                "project": "p1",
                "service_account_json": make_key_file("http://elsewhere.example/token"),
            },
            "service_account_json",
            "token_uri is no https:// address",
        ),
        (
            "google_vertex",
            {
                "region": "global",
                "project": "p1",
                "service_account_json": make_key_file("https://t.example", private_key="x"),
            },
            "service_account_json",
            "private_key cannot be read",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_its_field(
    provider: str, credentials: dict[str, Any], field_name: str, sentence: str
) -> None:
    errors = credential_errors(provider, credentials)

    assert list(errors) == [field_name]
    assert sentence in errors[field_name][0]
