"""Every way an exchange can fail has one class and a plain sentence without secrets."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

import pytest

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange
from providers.errors import Failure
from providers.measurement import Outcome, now_ns, wall_clock
from providers.wire import make_transport
from providers.wire.reference import ReferenceTransport
from tests.providers.raw_server import (
    DONE,
    GOOD,
    HEAD,
    STOP,
    Script,
    Step,
    make_delta,
    make_event,
    make_status,
    make_usage,
    raw_server,
)

pytestmark = pytest.mark.usefixtures("warm")
KEY = "sk-test-Ab12Cd34Ef56Gh78"
HEX = KEY.encode().hex()
PART = make_delta(content="one")
REQUEST = ChatRequest("m", "Hello", max_tokens=9)
# For what ends by itself: a busy machine is slow, not wrong.
PATIENT = {"connect_timeout_s": 30, "ttft_timeout_s": 120, "total_timeout_s": 120}


@pytest.fixture(params=[make_transport, ReferenceTransport], ids=["own", "httpx2"])
async def clients(request: pytest.FixtureRequest) -> AsyncIterator[ClientPool]:
    pool = ClientPool(request.param)
    yield pool
    await pool.close()


def make_endpoint(url: str, **given: Any) -> Endpoint:
    limits = {"connect_timeout_s": 1, "ttft_timeout_s": 1, "total_timeout_s": 2}
    return Endpoint("test", f"{url}/v1", api_key=KEY, **(limits | given))


async def fail(clients: ClientPool, script: Script, **given: Any) -> Failure:
    async with raw_server(script) as server:
        outcome = await exchange(make_endpoint(server.url, **given), REQUEST, clients=clients)
    assert not outcome.ok
    assert outcome.failure is not None
    assert KEY not in repr(outcome)
    return outcome.failure


STATUSES: list[tuple[int, Any, str]] = [
    (400, {"error": {"message": "bad thing"}}, "bad_request"),
    (400, {"error": {"message": "API key not valid. Please pass a valid API key."}}, "auth"),
    (400, {"error": {"message": "Your credit balance is too low"}}, "quota"),
    (400, {"error": {"code": "content_filter", "message": "filtered"}}, "content_filter"),
    (400, {"error": {"code": "model_not_found", "message": "no"}}, "not_found"),
    (400, {"error": {"message": "Model Not Exist"}}, "not_found"),
    (400, {"object": "error", "type": "invalid_model", "message": "Invalid model: m"}, "not_found"),
    (400, {"error": "The model m-1.5 does not exist or you lack access to it."}, "not_found"),
    (400, {"error": {"message": "The model says no: the tool does not exist."}}, "bad_request"),
    (401, {"error": {"message": "no"}}, "auth"),
    (402, {}, "quota"),
    (403, {}, "auth"),
    (403, {"error": "Your newly created team doesn't have any credits yet."}, "quota"),
    (404, {"detail": "Not Found"}, "not_found"),
    (405, b"", "bad_request"),
    (407, b"", "connect"),
    (408, {}, "timeout_ttft"),
    (410, {}, "not_found"),
    (413, {}, "bad_request"),
    (422, {"detail": [{"msg": "field required"}]}, "bad_request"),
    (424, {"message": "model failed"}, "server_error"),
    (429, {"error": {"message": "slow down"}}, "rate_limited"),
    (429, {"error": {"code": "billing_hard_limit_reached", "message": "no"}}, "quota"),
    (429, {"error": {"code": "insufficient_quota", "message": "no money"}}, "quota"),
    (500, b"<html>oops</html>", "server_error"),
    (502, b"bad gateway", "server_error"),
    (503, {}, "overloaded"),
    (504, {}, "timeout_ttft"),
    (529, {}, "overloaded"),
    (301, {}, "bad_request"),
]


@pytest.mark.parametrize(("status", "body", "error_class"), STATUSES)
async def test_every_status_has_its_class(
    clients: ClientPool, status: int, body: Any, error_class: str
) -> None:
    failure = await fail(clients, make_status(status, body))

    assert failure.error_class == error_class
    assert failure.status_code == status
    assert failure.message.startswith(f"The provider answered {status}: ")
    assert "<" not in failure.message


async def test_a_quota_that_only_a_header_names_is_one(clients: ClientPool) -> None:
    kind = "ServiceQuotaExceededException:http://internal.amazon.com/coral/"
    body = {"message": "Your request exceeds the limits of your account."}
    failure = await fail(clients, make_status(400, body, x_amzn_errortype=kind))

    assert failure.error_class == "quota"


async def test_a_refusal_tells_its_waits_as_well(clients: ClientPool) -> None:
    async with raw_server(make_status(500)) as server:
        at_ns = now_ns()
        outcome = await exchange(
            make_endpoint(server.url),
            REQUEST,
            clients=clients,
            sched_ns=at_ns - 20_000_000,
            acq_ns=at_ns,
        )

    figures = outcome.figures()
    assert figures["queue_wait_ms"] == 20
    assert figures["connect_ms"] is not None
    assert {"cold_connection", "queue_wait"} <= set(figures["quality_flags"])


async def test_a_refused_key_is_told_in_plain_words(clients: ClientPool) -> None:
    body = {"error": {"message": "Incorrect API key provided: sk-test-****************Gh78."}}
    failure = await fail(clients, make_status(401, body))

    assert failure.message == (
        "The provider answered 401: the API key was refused. "
        "It said: Incorrect API key provided: [hidden]."
    )


@pytest.mark.parametrize(
    "header", ["7", "7.5", "-3", "soon", "", "9" * 40, f"Sun, 01 Mar {'9' * 20} 11:00:00 GMT"]
)
async def test_retry_after_is_seconds_or_nothing(clients: ClientPool, header: str) -> None:
    failure = await fail(clients, make_status(429, {}, Retry_After=header))

    assert failure.retry_after_s == {"7": 7.0, "7.5": 7.5}.get(header)


async def test_retry_after_may_be_a_date(clients: ClientPool) -> None:
    later = format_datetime(wall_clock() + timedelta(seconds=60), usegmt=True)
    earlier = format_datetime(wall_clock() - timedelta(seconds=60), usegmt=True)
    wait = await fail(clients, make_status(503, {}, Retry_After=later))
    past = await fail(clients, make_status(503, {}, Retry_After=earlier))

    assert wait.retry_after_s == pytest.approx(60, abs=3)
    assert past.retry_after_s == 0


async def test_a_redirect_names_the_host_but_no_login(clients: ClientPool) -> None:
    target = "https://user:hunter22@new.example/v1?key=hunter22"
    failure = await fail(clients, make_status(307, {}, Location=target))

    assert failure.error_class == "bad_request"
    assert "new.example" in failure.message
    assert "hunter22" not in failure.message


JSON_HEAD = HEAD.replace(b"text/event-stream", b"application/json")
PLAIN = b'{"id":"c","object":"chat.completion","choices":[{"message":{"content":"hi"}}]}'
ENDINGS: list[tuple[str, list[Step], str, str]] = [
    ("no body", [HEAD], "empty", "empty body"),
    ("only an end", [HEAD, STOP, DONE], "empty", "without a single token"),
    ("only usage", [HEAD, make_usage(5, 0), STOP, DONE], "empty", "without a single token"),
    ("empty strings", [HEAD, make_delta(content=""), STOP, DONE], "empty", "single token"),
    ("only thoughts", [HEAD, make_delta(reasoning="x"), STOP, DONE], "empty", "single token"),
    ("web page", [HEAD, b"<!doctype html><html>hi</html>"], "malformed", "web page"),
    ("not streamed", [JSON_HEAD, PLAIN], "malformed", "in one piece"),
    ("json error", [JSON_HEAD, b'{"error":{"message":"boom"}}'], "malformed", "It said: boom"),
    ("long json", [JSON_HEAD, b'{"x":"' + b"y" * 9000 + b'"}'], "malformed", "in one piece"),
    ("prose", [HEAD, b"hello there\n\n"], "malformed", "no event stream"),
    ("no json", [HEAD, PART, b"data: {oops\n\n", STOP, DONE], "malformed", "not JSON"),
    ("no ending", [HEAD, PART], "truncated", "without saying"),
    ("cut event", [HEAD, PART, PART[:30]], "truncated", "without saying"),
    ("cut early", [HEAD, make_delta(role="assistant")], "truncated", "without saying"),
    ("reset", [HEAD, PART, 0.05, "reset"], "truncated", "broke in the middle"),
    ("early reset", [HEAD, 0.05, "reset"], "truncated", "broke in the middle"),
    (
        "error event",
        [HEAD, PART, make_event({"error": {"message": "boom"}}), STOP, DONE],
        "truncated",
        "It said: boom",
    ),
    ("named error", [HEAD, PART, make_event("boom", "error")], "truncated", "It said: boom"),
    (
        "error object",
        [HEAD, PART, make_event({"object": "error", "message": "boom", "code": 400}), DONE],
        "truncated",
        "It said: boom",
    ),
    (
        "error beside the choices",
        [HEAD, PART, make_event({"choices": [], "x_groq": {"error": "boom"}}), STOP, DONE],
        "truncated",
        "It said: boom",
    ),
    (
        "json error object",
        [JSON_HEAD, b'{"object":"error","message":"boom","code":40}'],
        "malformed",
        "with an error instead of a stream. It said: boom",
    ),
    (
        "thinking cut",
        [HEAD, make_delta(reasoning="hm"), make_delta(finish="length"), DONE],
        "no_answer",
        "raise max_tokens",
    ),
    (
        "hidden thinking cut",
        [HEAD, make_delta(finish="length"), make_usage(5, 9), DONE],
        "no_answer",
        "raise max_tokens",
    ),
    (
        "filtered",
        [HEAD, PART, make_delta(finish="content_filter"), DONE],
        "content_filter",
        "content filter",
    ),
    ("not http", [b"SSH-2.0-OpenSSH_9.9\r\n\r\n", 0.05, "reset"], "malformed", "not speak HTTP"),
    ("silent close", ["reset"], "connect", "closed the connection before"),
    (
        "unknown packing",
        [HEAD.replace(b"connection", b"content-encoding: br\r\nconnection"), b"\x00\x01"],
        "malformed",
        "packed as br",
    ),
    (
        "broken packing",
        [HEAD.replace(b"connection", b"content-encoding: gzip\r\nconnection"), b"data: x"],
        "malformed",
        "compression is broken",
    ),
]


@pytest.mark.parametrize(
    ("script", "error_class", "words"), [e[1:] for e in ENDINGS], ids=[e[0] for e in ENDINGS]
)
async def test_every_bad_ending_has_its_class(
    clients: ClientPool, script: Script, error_class: str, words: str
) -> None:
    failure = await fail(clients, script)

    assert (failure.error_class, words in failure.message) == (error_class, True), failure


async def test_an_incomplete_chunked_body_is_truncated(clients: ClientPool) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    failure = await fail(clients, [head, b"%x\r\n" % len(PART), PART, b"\r\nff\r\nabc"])

    assert failure.error_class == "truncated"


async def test_a_break_after_the_finish_reason_does_not_spoil_the_answer(
    clients: ClientPool,
) -> None:
    async with raw_server([HEAD, PART, STOP, 0.05, "reset"]) as server:
        outcome = await exchange(make_endpoint(server.url), REQUEST, clients=clients)

    assert outcome.ok


async def test_no_headers_in_time_is_a_ttft_timeout(clients: ClientPool) -> None:
    failure = await fail(clients, [5.0], ttft_timeout_s=0.2)

    assert failure.error_class == "timeout_ttft"
    assert failure.message == "No token within 0.2 s of asking."


async def test_a_status_is_told_though_its_body_never_ends(clients: ClientPool) -> None:
    head = b"HTTP/1.1 401 No\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\n"
    failure = await fail(clients, [head + b"Wrong key.", 60.0], **PATIENT)

    assert (failure.error_class, failure.status_code) == ("auth", 401)
    assert failure.message.endswith("It said: Wrong key.")


async def test_a_loop_that_looks_late_blames_the_limit_that_passed_first(
    clients: ClientPool,
) -> None:
    async with raw_server([HEAD, 60.0]) as server:
        endpoint = make_endpoint(server.url, ttft_timeout_s=0.4, total_timeout_s=0.8)
        asked = asyncio.create_task(exchange(endpoint, REQUEST, clients=clients))
        await asyncio.sleep(0.2)
        time.sleep(1)  # nothing else runs meanwhile, as on a busy machine
        outcome = await asked

    assert outcome.failure is not None
    assert outcome.failure.error_class == "timeout_ttft"


async def test_bytes_without_content_do_not_stop_the_ttft_clock(clients: ClientPool) -> None:
    noise: list[Step] = [b": ping\n\n" + make_delta(role="assistant", content=""), 0.05]
    failure = await fail(clients, [HEAD, *noise * 20], ttft_timeout_s=0.3)

    assert failure.error_class == "timeout_ttft"


async def test_a_pause_after_the_first_token_is_no_ttft_timeout(clients: ClientPool) -> None:
    async with raw_server([HEAD, PART, 0.5, STOP, DONE]) as server:
        endpoint = make_endpoint(server.url, ttft_timeout_s=0.2)
        outcome = await exchange(endpoint, REQUEST, clients=clients)

    assert outcome.ok


async def test_an_endless_stream_meets_the_total_timeout(clients: ClientPool) -> None:
    parts: list[Step] = [PART, 0.05]
    failure = await fail(clients, [HEAD, *parts * 40], total_timeout_s=0.4)

    assert failure.error_class == "timeout_total"
    assert failure.message == "The answer was not finished within 0.4 s."


async def test_a_failed_attempt_has_no_speed(clients: ClientPool) -> None:
    async with raw_server([HEAD, PART, 0.02, PART]) as server:
        outcome = await exchange(make_endpoint(server.url), REQUEST, clients=clients)

    figures = outcome.figures()
    assert (figures["ttft_ms"], figures["tps"], figures["output_tokens"]) == (None, None, None)
    assert figures["connect_ms"] is not None
    assert outcome.text == "oneone"


async def fail_at(clients: ClientPool, url: str, **given: Any) -> Failure:
    outcome = await exchange(make_endpoint(url, **given), REQUEST, clients=clients)
    assert outcome.failure is not None
    assert outcome.measurement is None
    return outcome.failure


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_closed_port_is_a_connect_failure(clients: ClientPool) -> None:
    port = free_port()
    failure = await fail_at(clients, f"http://127.0.0.1:{port}")

    assert failure.error_class == "connect"
    assert f"127.0.0.1:{port}" in failure.message


async def test_an_unknown_name_is_a_dns_failure(clients: ClientPool) -> None:
    failure = await fail_at(clients, "http://no-such-host.invalid")

    assert failure.error_class == "dns"
    assert "no-such-host.invalid" in failure.message


async def test_a_server_that_never_accepts_is_a_connect_timeout(clients: ClientPool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        failure = await fail_at(clients, f"http://127.0.0.1:{port}", connect_timeout_s=0.3)
        for filler in fillers:
            filler.close()

    assert failure.error_class == "timeout_connect"
    assert "within 0.3 s" in failure.message


async def test_a_server_without_tls_is_a_tls_failure(clients: ClientPool) -> None:
    async with raw_server(GOOD) as server:

        async def say_hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 hello, I speak no TLS at all\r\n")
            await writer.drain()
            writer.close()

        listener = await asyncio.start_server(say_hello, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            failure = await fail_at(clients, f"https://127.0.0.1:{port}")

    assert failure.error_class == "tls"
    assert server.received == []


async def test_an_untrusted_certificate_is_a_tls_failure(
    clients: ClientPool, self_signed: ssl.SSLContext
) -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=self_signed)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        failure = await fail_at(clients, f"https://127.0.0.1:{port}")

    assert failure.error_class == "tls"
    assert "certificate" in failure.message


@pytest.mark.parametrize(
    "broken",
    [
        {"api_key": "sk-ключ-0123456789"},
        {"api_key": "sk-line\nbreak-0123456789"},
        {"headers": {"X-Team": "a\r\nb: c"}},
        {"base_url": "ftp://127.0.0.1/v1"},
        {"base_url": "http://[bad/v1"},
    ],
    ids=["key beyond ascii", "key with a line break", "header injection", "scheme", "address"],
)
async def test_what_cannot_be_sent_is_a_configuration_fault(
    clients: ClientPool, broken: dict[str, Any]
) -> None:
    given = {"base_url": "http://127.0.0.1:9/v1", "api_key": KEY} | broken
    outcome = await exchange(Endpoint("test", **given), REQUEST, clients=clients)

    assert outcome.failure is not None
    assert outcome.failure.error_class == "bad_request"
    assert "0123456789" not in repr(outcome)


ECHOES: list[Callable[[], Script]] = [
    lambda: make_status(401, {"error": {"message": f"bad key {KEY}"}}),
    lambda: make_status(500, f"Traceback: Authorization: Bearer {KEY}".encode()),
    lambda: make_status(302, {}, Location=f"https://{KEY}@other.example/?k={KEY}"),
    lambda: [HEAD, PART, make_event({"error": {"message": f"key {KEY[:-4]} expired"}})],
    lambda: [HEAD, make_delta(content=f"your key is {KEY}"), STOP, DONE],
    lambda: [HEAD, make_event({"model": KEY, "system_fingerprint": KEY, "choices": []}), STOP],
    lambda: [JSON_HEAD, f'{{"error": "{KEY}"}}'.encode()],
    lambda: [f"HTTP/1.1 200 {KEY}\r\nbad header {KEY}\r\n\r\n".encode()],
    lambda: make_status(401, {"error": f"bad {base64.b64encode(f'Bearer {KEY}'.encode())!r}"}),
    lambda: make_status(400, {"detail": [{"loc": list(KEY)}, {"msg": "-".join(KEY.split("C"))}]}),
    lambda: make_status(403, f"Key {KEY[:12]} {KEY[12:]} has no right".encode()),
    lambda: make_status(429, {"error": KEY}, **{"Retry-After": KEY, "X-Request-Id": KEY}),
    lambda: [HEAD.replace(b"\r\n\r\n", f"\r\nx-request-id: {HEX}\r\n\r\n".encode()), PART, STOP],
    lambda: [HEAD, PART, b"event: error\ndata: " + quote(f"<{KEY}>").encode() + b"\n\n"],
    lambda: [HEAD, make_delta(content=f"it is {HEX}"), STOP, DONE],
]


@pytest.mark.parametrize("echo", ECHOES)
async def test_an_echoed_key_is_nowhere_to_be_seen(
    clients: ClientPool, caplog: pytest.LogCaptureFixture, echo: Callable[[], Script]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw_server(echo()) as server:
        endpoint = make_endpoint(server.url, query={"key": f"{KEY}-query"})
        outcome: Outcome = await exchange(endpoint, REQUEST, clients=clients)

    for text in (repr(endpoint), repr(outcome), outcome.text, caplog.text):
        assert not any(part in text for part in ("Ab12Cd34", "Ef56Gh78", HEX[:20], "sk-test-A"))
        assert "QWIxMkNk" not in text


async def test_a_cancelled_exchange_stays_cancelled(clients: ClientPool) -> None:
    async with raw_server([HEAD, PART, 5.0]) as server:
        endpoint = make_endpoint(server.url, total_timeout_s=9, ttft_timeout_s=9)
        task = asyncio.create_task(exchange(endpoint, REQUEST, clients=clients))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_body_without_end_is_given_up(clients: ClientPool) -> None:
    flood = b"data: " + b"x" * 1_000_000
    failure = await fail(clients, [HEAD, *[flood] * 40], **PATIENT)

    assert failure.error_class == "malformed"
    assert failure.message == "The answer is larger than 32 MiB."
