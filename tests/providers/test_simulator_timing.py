from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

import pytest

from providers.simulator import Behaviour, RequestRecord, Simulator, loop_factory
from providers.simulator.alarm import LoopAlarm
from providers.simulator.metronome import Metronome
from tests.providers.simulator_client import chat_bytes

STREAMS = 200


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(simulator: Simulator) -> Streams:
    host, _, port = simulator.base_url.removeprefix("http://").rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def read_stream(connected: Streams, data: bytes) -> tuple[int, bytes]:
    """Send one request; returns when the first content came (perf_counter ns) and all bytes."""
    reader, writer = connected
    writer.write(data)
    raw, first_ns = b"", 0
    while not raw.endswith(b"0\r\n\r\n"):
        raw += await reader.read(65536)
        if not first_ns and b'"content":"The' in raw:
            first_ns = time.perf_counter_ns()
    writer.close()
    await writer.wait_closed()
    return first_ns, raw


async def play(streams: int, model: str, behaviour: Behaviour) -> list[RequestRecord]:
    simulator = Simulator()
    simulator.set_behaviour(model, behaviour)
    await simulator.start()
    try:
        data = chat_bytes(model)
        # Connected beforehand: what is left to do before the first stream ends is one write each.
        connected = [await connect(simulator) for _ in range(streams)]
        await asyncio.gather(*(read_stream(one, data) for one in connected))
        return list(simulator.log)
    finally:
        await simulator.stop()


def offsets_ms(record: RequestRecord) -> list[float]:
    return [(stamp - record.t_request_read) / 1e6 for stamp in record.writes]


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, loop_factory()])
def test_writes_keep_the_asked_times_without_drift(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    behaviour = Behaviour(ttft_ms=50, gap_ms=5, tokens=60)
    # A busy machine makes a try late; what drifts is late in every try.
    for _ in range(8):
        with asyncio.Runner(loop_factory=factory) as runner:
            records = runner.run(play(1, "one", behaviour))
        late = [at - (50 + 5 * i) for i, at in enumerate(offsets_ms(records[0]))]
        assert len(late) == 60
        assert min(late) >= 0
        if statistics.median(late) < 5 and late[-1] < 100:
            break

    assert statistics.median(late) < 5
    assert late[-1] < 100


def test_a_stream_is_never_seen_before_it_was_written() -> None:
    async def seen() -> tuple[int, RequestRecord]:
        simulator = Simulator()
        await simulator.start()
        data = chat_bytes("sim:ttft=20,gap=1,tokens=5")
        first_ns, _ = await read_stream(await connect(simulator), data)
        record = simulator.log[0]
        await simulator.stop()
        return first_ns, record

    first_ns, record = asyncio.run(seen())

    assert record.t_first_write is not None
    assert record.t_first_write < first_ns


def test_two_hundred_streams_end_together_with_every_token() -> None:
    behaviour = Behaviour(ttft_ms=1500, gap_ms=20, tokens=20)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        records = runner.run(play(STREAMS, "crowd", behaviour))

    assert len(records) == STREAMS
    assert {(record.outcome, record.tokens, len(record.writes)) for record in records} == {
        ("done", 20, 20)
    }
    assert min(min(offsets_ms(record)) for record in records) >= 1500
    # All began before the first one ended.
    assert max(record.t_request_read for record in records) < min(r.t_done or 0 for r in records)


class Ticker:
    def __init__(self, due: list[int], done: asyncio.Future[list[int]]) -> None:
        self._due = due
        self._done = done
        self._played: list[int] = []

    def play(self) -> int | None:
        self._played.append(time.perf_counter_ns() - self._due[len(self._played)])
        if len(self._played) == len(self._due):
            self._done.set_result(self._played)
            return None
        return self._due[len(self._played)]


async def test_the_metronome_keeps_time_on_the_loops_own_timer_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("providers.simulator.metronome.make_alarm", LoopAlarm)
    loop = asyncio.get_running_loop()
    metronome = Metronome(loop)
    due = [time.perf_counter_ns() + 3_700_000 * step for step in range(1, 11)]
    done: asyncio.Future[list[int]] = loop.create_future()

    metronome.at(due[0], Ticker(due, done))
    late_ns = await asyncio.wait_for(done, timeout=10)
    metronome.close()

    assert min(late_ns) >= 0
