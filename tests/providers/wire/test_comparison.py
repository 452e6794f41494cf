"""Our transport and httpx2's own, fed the same responses, must come to the same result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx2
import pytest

from providers.wire.transport import ArgusTransport
from tests.providers.wire.corpus import BROKEN, CONFLICT, CUT, SOUND, Sample
from tests.providers.wire.peer import Peer, Visit

Serve = Callable[..., Awaitable[Peer]]
Result = tuple[object, ...]

# h11 refuses the blanks that RFC 9112, section 7.1.1, has a recipient take before an extension.
LENIENT = {"chunks with extensions and trailers"}
SAMPLES = [sample for sample in [*SOUND, CONFLICT, *BROKEN, *CUT] if sample.name not in LENIENT]


def fields(response: httpx2.Response) -> list[tuple[bytes, bytes]]:
    """h11 writes codings small and names an agreed length once."""
    lowered = [(name.lower(), value) for name, value in response.headers.raw]
    small = [(n, v.lower() if n == b"transfer-encoding" else v) for n, v in lowered]
    return list(dict.fromkeys(small))


async def result(transport: httpx2.AsyncBaseTransport, method: str, url: str) -> Result:
    body = b""
    async with httpx2.AsyncClient(transport=transport) as client:
        try:
            async with client.stream(method, url, timeout=5) as response:
                async for piece in response.aiter_bytes():
                    body += piece
                return response.status_code, response.reason_phrase, fields(response), body
        except httpx2.TransportError as exc:
            return type(exc), body


@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_both_transports_agree(sample: Sample, in_pieces: bool, serve: Serve) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        step = 1 if in_pieces else max(1, len(sample.wire))
        for start in range(0, len(sample.wire), step):
            await visit.say(sample.wire[start : start + step])

    peer = await serve(script)
    ours = await result(ArgusTransport(), sample.method, peer.url)
    theirs = await result(httpx2.AsyncHTTPTransport(trust_env=False), sample.method, peer.url)
    assert ours == theirs
