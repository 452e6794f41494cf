"""Signed POSTs as https://www.standardwebhooks.com describes them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import httpx2

from alerts import signatures
from alerts.backoff import retry_after_s
from alerts.letters import Letter
from alerts.transports.answers import Answer, Verdict, answer_of, trouble
from alerts.webhook_addresses import masked, webhook_fault

CONNECT_S = 10.0
TOTAL_S = 30.0
# Of an answer only the status counts; so much of the rest is read, and for so long.
READ_LIMIT, BODY_S = 16_384, 2.0


def config_errors(config: Mapping[str, Any]) -> dict[str, str]:
    url = config.get("url")
    if not isinstance(url, str):
        return {"url": "The address to post to, as a text."}
    fault = webhook_fault(url)
    return {"url": fault} if fault else {}


def public_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": masked(config["url"])}


async def send(config: Mapping[str, Any], secrets: Sequence[str], letter: Letter) -> Answer:
    now = datetime.now(UTC)
    body = json.dumps(letter.payload, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "ArgusLM",
        **signatures.headers(secrets, letter.message_id, now, body),
    }
    return await request("POST", config["url"], headers, body, now)


async def request(
    method: str, url: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Answer:
    """One exchange with any address; never raises for what the other side does."""
    try:
        async with (
            asyncio.timeout(TOTAL_S),
            _client() as client,
            client.stream(method, url, headers=headers, content=body) as response,
        ):
            await _read_some(response)
            asked = retry_after_s(response.headers.get("retry-after"), now)
            return answer_of(response.status_code, asked)
    except TimeoutError:
        return _again(f"The receiver did not answer within {TOTAL_S:.0f} s.")
    except httpx2.ConnectTimeout:
        return _again(f"No connection could be made within {CONNECT_S:.0f} s.")
    except httpx2.TimeoutException:
        return _again("The receiver took too long.")
    except httpx2.ConnectError as exc:
        return trouble(exc, "No connection could be made.")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ssl.SSLError):
        return _again("The exchange with the receiver broke off.")


def _client() -> httpx2.AsyncClient:
    # A client of its own for each message: no receiver may hold up another one's connection.
    limits = httpx2.Timeout(TOTAL_S, connect=CONNECT_S)
    return httpx2.AsyncClient(timeout=limits, verify=_trust(), follow_redirects=False)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


async def _read_some(response: httpx2.Response) -> None:
    """So that the connection ends well; trouble with the body changes nothing any more."""
    read = 0
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(BODY_S):
            async for piece in response.aiter_raw():
                read += len(piece)
                if read >= READ_LIMIT:
                    return


def _again(sentence: str) -> Answer:
    return Answer(Verdict.AGAIN, error=sentence)
