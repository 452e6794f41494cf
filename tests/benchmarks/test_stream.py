from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

from arguslm.asgi import application
from benchmarks import consumers, feeds, tasks
from benchmarks.announcements import announce
from benchmarks.documents import result_document
from benchmarks.models import BenchmarkRun
from models_app.models import LLM
from providers.simulator import Simulator
from tests.benchmarks.conftest import use_broker
from tests.benchmarks.wire import make_bad, make_good, make_simulated_llm
from tests.make import make_llm, make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("channel_layer")]


@asynccontextmanager
async def watching(run_id: object, query: str = "") -> AsyncIterator[WebsocketCommunicator]:
    path = f"/api/v1/benchmarks/{run_id}/stream{query}"
    socket = WebsocketCommunicator(application, path, headers=[(b"host", b"localhost")])
    socket.scope["client"] = ["127.0.0.1", 50_000]
    connected, _ = await socket.connect(WAIT_S)
    assert connected
    try:
        yield socket
    finally:
        if not socket.future.done():
            await socket.disconnect(timeout=WAIT_S)


WAIT_S = 30  # a busy machine is slow, not wrong


async def next_event(socket: WebsocketCommunicator) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await socket.receive_from(WAIT_S))
    return event


async def to_the_end(
    socket: WebsocketCommunicator,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All events and the closing frame."""
    events: list[dict[str, Any]] = []
    while True:
        message = await socket.receive_output(WAIT_S)
        if message["type"] == "websocket.close":
            return events, message
        events.append(json.loads(message["text"]))


@pytest.fixture
def llm() -> LLM:
    return make_llm(custom_name="Mine")


@pytest.fixture
def ended(llm: LLM) -> BenchmarkRun:
    """A completed run of three results."""
    run = make_run(llm, num_runs=3, status="completed")
    for _ in range(2):
        make_good(run, llm)
    make_bad(run, llm)
    return run


async def test_a_late_joiner_gets_everything_and_the_end(ended: BenchmarkRun) -> None:
    async with watching(ended.pk) as socket:
        events, close = await to_the_end(socket)

    assert [(event["type"], event["seq"]) for event in events] == [
        ("progress", 0),
        ("result", 1),
        ("progress", 2),
        ("result", 3),
        ("progress", 4),
        ("result", 5),
        ("progress", 6),
        ("complete", 7),
    ]
    assert events[-1] == {
        "type": "complete",
        "seq": 7,
        "run_id": str(ended.pk),
        "status": "completed",
    }
    assert close["code"] == 1000


async def test_a_result_is_the_one_of_the_rest_api_twice(ended: BenchmarkRun, llm: LLM) -> None:
    async with watching(ended.pk) as socket:
        events, _ = await to_the_end(socket)

    row = await ended.results.aget(ordinal=2)
    document = result_document(row, "Mine")
    envelope = {"type": "result", "seq": 3, "run_id": str(ended.pk)}
    assert events[3] == {**document, **envelope, "data": document}


async def test_progress_tells_how_far_the_run_is(ended: BenchmarkRun) -> None:
    async with watching(ended.pk) as socket:
        events, _ = await to_the_end(socket)

    assert events[0] == {
        "type": "progress",
        "seq": 0,
        "run_id": str(ended.pk),
        "completed": 0,
        "total": 3,
        "current_model": None,
        "status": "running",
        "eta_s": None,
    }
    assert (events[4]["completed"], events[4]["current_model"]) == (2, "Mine")


async def test_the_time_left_follows_from_the_time_taken(llm: LLM) -> None:
    run = await sync_to_async(make_run)(llm, num_runs=4, status="running")
    row = await sync_to_async(make_good)(run, llm)
    began = row.created_at - timedelta(seconds=8)
    await BenchmarkRun.objects.filter(pk=run.pk).aupdate(started_at=began)

    async with watching(run.pk, "?after=1") as socket:
        event = await next_event(socket)

    assert (event["completed"], event["total"], event["eta_s"]) == (1, 4, 24.0)


@pytest.mark.parametrize("after", range(9))
async def test_after_replays_exactly_the_rest(ended: BenchmarkRun, after: int) -> None:
    async with watching(ended.pk, f"?after={after}") as socket:
        events, close = await to_the_end(socket)

    assert [event["seq"] for event in events] == list(range(after + 1, 8))
    assert close["code"] == 1000


async def test_pages_join_without_a_seam(
    ended: BenchmarkRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.events.RESULTS_PER_PAGE", 1)

    async with watching(ended.pk) as socket:
        events, _ = await to_the_end(socket)

    assert [event["seq"] for event in events] == list(range(8))


async def test_a_cancelled_run_ends_with_an_error(llm: LLM) -> None:
    run = await sync_to_async(make_run)(llm, num_runs=2, status="running")
    await sync_to_async(make_good)(run, llm)

    async with watching(run.pk, "?after=2") as socket:
        await sync_to_async(run.cancel)()
        events, close = await to_the_end(socket)

    assert events == [
        {
            "type": "error",
            "seq": 5,
            "run_id": str(run.pk),
            "status": "failed",
            "error": "cancelled",
            "cancelled": True,
        }
    ]
    assert close["code"] == 1000


@pytest.mark.parametrize(
    "run_id", ["nope", "1", "7b035b89-36e8-4bab-8440-e6d0e9c9def4", "%00", "a" * 3000, "é"]
)
async def test_an_unknown_run_is_refused_with_a_reason(run_id: str) -> None:
    async with watching(run_id) as socket:
        _, close = await to_the_end(socket)

    assert (close["code"], close["reason"]) == (4404, "There is no such benchmark run.")


@pytest.mark.parametrize("after", ["", "x", "-1", "1.5", "9" * 40, "%F0%9F", "1&after=x"])
async def test_a_bad_after_is_refused_with_a_reason(ended: BenchmarkRun, after: str) -> None:
    async with watching(ended.pk, f"?after={after}") as socket:
        _, close = await to_the_end(socket)

    assert close["code"] == 4400
    assert close["reason"] == "after must be the seq of an event: a whole number."


async def test_pings_are_answered_in_their_own_words(llm: LLM) -> None:
    run = await sync_to_async(make_run)(llm)
    async with watching(run.pk, "?after=0") as socket:
        await socket.send_to(text_data="ping")
        assert await socket.receive_from(WAIT_S) == "pong"
        await socket.send_json_to({"type": "ping"})
        assert await socket.receive_json_from(WAIT_S) == {"type": "pong"}


async def test_anything_else_a_client_says_is_ignored(llm: LLM) -> None:
    run = await sync_to_async(make_run)(llm)
    async with watching(run.pk, "?after=0") as socket:
        for text in ("pong", " ", "null", "[]", "{", '{"type": 5}', "[" * 100_000, "x" * 10_000):
            await socket.send_to(text_data=text)
        await socket.send_to(bytes_data=b"\xff\x00ping")
        assert await socket.receive_nothing(0.1)
        await socket.send_to(text_data="ping")
        assert await socket.receive_from(WAIT_S) == "pong"


async def test_a_silent_run_is_kept_alive_with_a_ping(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "IDLE_S", 0.05)
    monkeypatch.setattr(feeds, "LOOK_S", 0.1)
    run = await sync_to_async(make_run)(llm)

    async with watching(run.pk, "?after=0") as socket:
        assert await next_event(socket) == {"type": "ping"}


async def test_an_announced_row_arrives_at_once(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "LOOK_S", 60)
    run = await sync_to_async(make_run)(llm, status="running")

    async with watching(run.pk) as socket:
        assert (await next_event(socket))["seq"] == 0
        await asyncio.sleep(0.2)
        await sync_to_async(make_good)(run, llm)
        announce(run.pk)
        assert (await next_event(socket))["seq"] == 1


async def test_a_row_whose_announcement_was_lost_arrives_all_the_same(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "LOOK_S", 0.1)
    run = await sync_to_async(make_run)(llm, status="running")

    async with watching(run.pk) as socket:
        assert (await next_event(socket))["seq"] == 0
        await sync_to_async(make_good)(run, llm)
        assert (await next_event(socket))["seq"] == 1


async def test_the_stream_works_without_a_broker(
    llm: LLM, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "LOOK_S", 0.1)
    use_broker(settings, "redis://127.0.0.1:1/0")
    run = await sync_to_async(make_run)(llm, num_runs=1, status="running")

    async with watching(run.pk) as socket:
        assert (await next_event(socket))["seq"] == 0
        await sync_to_async(make_good)(run, llm)
        await BenchmarkRun.objects.filter(pk=run.pk).aupdate(status="completed")
        events, _ = await to_the_end(socket)

    assert [event["seq"] for event in events] == [1, 2, 3]


async def test_watchers_at_the_same_place_share_one_read(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, reads = await sync_to_async(make_run)(llm, status="running"), list[int]()
    read = feeds._read

    async def counted(run_id: Any, seq: int) -> Any:
        reads.append(seq)
        return await read(run_id, seq)

    monkeypatch.setattr(feeds, "_read", counted)
    monkeypatch.setattr(feeds, "LOOK_S", 60)
    async with watching(run.pk) as one, watching(run.pk) as two, watching(run.pk) as three:
        for socket in (one, two, three):
            await next_event(socket)
        await asyncio.sleep(0.2)
        reads.clear()
        await sync_to_async(make_good)(run, llm)
        announce(run.pk)
        for socket in (one, two, three):
            assert (await next_event(socket))["seq"] == 1

    assert reads.count(0) == 1


async def test_nothing_is_left_running_when_the_watchers_are_gone(llm: LLM) -> None:
    run = await sync_to_async(make_run)(llm)
    before = len(asyncio.all_tasks())

    async with watching(run.pk) as one, watching(run.pk) as two:
        await next_event(one)
        await next_event(two)
        assert list(feeds._feeds) == [run.pk]

    assert feeds._feeds == {}
    assert len(asyncio.all_tasks()) <= before + 1


async def test_a_watcher_whom_the_server_cancels_leaves_nothing_behind(llm: LLM) -> None:
    run = await sync_to_async(make_run)(llm)

    async with watching(run.pk) as socket:
        await next_event(socket)
        assert list(feeds._feeds) == [run.pk]
        socket.future.cancel()
        await asyncio.wait([socket.future])

    assert feeds._feeds == {}


async def test_a_whole_run_is_streamed_as_it_happens(simulator: Simulator) -> None:
    llm = await sync_to_async(make_simulated_llm)(simulator)
    run = await sync_to_async(make_run)(llm, num_runs=3)

    async with watching(run.pk) as socket:
        first = await next_event(socket)
        working = asyncio.create_task(asyncio.to_thread(tasks.execute, str(run.pk)))
        events, close = await to_the_end(socket)
        await working

    assert (first["seq"], first["status"]) == (0, "pending")
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5, 6, 7]
    assert [event["type"] for event in events] == ["result", "progress"] * 3 + ["complete"]
    assert close["code"] == 1000
