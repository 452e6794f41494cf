from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ErrorClass, Failure
from providers.measurement import FIGURES, Chunk, Measurement, Outcome, TokenCounts, Trace

MS = 1_000_000
SEND = 10_000 * MS


def make_chunks(*at_ms: float, chars: int = 4, is_answer: bool = True) -> tuple[Chunk, ...]:
    return tuple(Chunk(SEND + int(at * MS), chars, is_answer) for at in at_ms)


def make_measurement(*at_ms: float, output: int | None = None, **more: Any) -> Measurement:
    """Chunks arrive at these milliseconds after the send stamp, one token each by default."""
    counts = {"output": len(at_ms) if output is None else output, "source": "usage"}
    tokens = TokenCounts(**(counts | more.pop("tokens", {})))
    given: dict[str, Any] = {"send_ns": SEND, "chunks": make_chunks(*at_ms), "tokens": tokens}
    return Measurement(**(given | more))


def make_outcome(**given: Any) -> Outcome:
    return Outcome(**({"started_at": datetime(2026, 1, 1, tzinfo=UTC)} | given))


def test_every_formula_on_one_stream() -> None:
    seen = make_measurement(
        200,
        220,
        240,
        260,
        sched_ns=SEND - 30 * MS,
        acq_ns=SEND - 20 * MS,
        conn0_ns=SEND - 15 * MS,
        conn1_ns=SEND - 5 * MS,
        max_lag_ms=1.5,
        bias_ms=-0.25,
    )

    assert seen.ttft_ms == 200
    assert seen.ttfa_ms == 200
    assert seen.latency_ms == 260
    assert seen.tpot_ms == 20
    assert seen.tps_excluding_ttft == 50
    assert seen.tps == pytest.approx(4 / 0.26)
    assert seen.queue_wait_ms == 10
    assert seen.connect_ms == 10
    assert seen.response_ms == 290
    assert seen.uncertainty_ms == 1.75
    assert seen.inter_chunk_ms == (20, 20, 20)


def test_lag_widens_the_error_bar_only_where_it_can_have_reached_a_stamp() -> None:
    known: dict[str, Any] = {"max_lag_ms": 40.0, "sent_ns": SEND + MS // 2, "spread_ms": 0.25}
    clear = make_measurement(200, 220, 240, **known, has_kernel_stamps=True)
    first_mixed = make_measurement(200, 200, 240, **known, has_kernel_stamps=True)
    end_mixed = make_measurement(200, 240, **known, has_kernel_stamps=True, is_end_mixed=True)
    unstamped = make_measurement(200, 220, 240, **known)

    assert clear.uncertainty_ms == 0.75
    for seen in (first_mixed, end_mixed, unstamped):
        assert seen.uncertainty_ms == 40.75
    assert "client_lag" in clear.quality_flags


def test_time_to_first_answer_waits_for_the_end_of_thinking() -> None:
    thoughts = make_chunks(100, 150, is_answer=False)
    seen = make_measurement(output=4, chunks=thoughts + make_chunks(300, 320))

    assert seen.ttft_ms == 100
    assert seen.ttfa_ms == 300


def test_nothing_seen_is_unknown_and_never_zero() -> None:
    seen = Measurement(send_ns=SEND)

    for name in (*FIGURES, "inter_chunk_ms"):
        value = getattr(seen, {"total_latency_ms": "latency_ms"}.get(name, name))
        assert value in (None, ()), name
    assert seen.quality_flags == ()


def test_thoughts_alone_have_no_first_answer() -> None:
    seen = make_measurement(output=2, chunks=make_chunks(100, 150, is_answer=False))

    assert seen.ttfa_ms is None


@pytest.mark.parametrize(("output", "first_chunk"), [(1, 1), (4, 4), (3, 5)])
def test_tpot_is_unknown_when_the_first_chunk_holds_every_token(
    output: int, first_chunk: int
) -> None:
    seen = make_measurement(10, 20, 30, output=output, tokens={"first_chunk": first_chunk})

    assert seen.tpot_ms is None
    assert seen.tps_excluding_ttft is None
    assert seen.tps is not None


def test_tpot_needs_three_chunks() -> None:
    assert make_measurement(10, 30, output=10).tpot_ms is None
    assert make_measurement(10, 20, 30, output=11).tpot_ms == 2


def test_the_tokens_of_the_first_chunk_do_not_count_as_generated_after_it() -> None:
    seen = make_measurement(10, 20, 30, output=12, tokens={"first_chunk": 4})

    assert seen.tpot_ms == 2.5


def test_unknown_tokens_make_speed_unknown_but_not_latency() -> None:
    seen = Measurement(send_ns=SEND, chunks=make_chunks(10, 20, 30))

    assert (seen.tps, seen.tpot_ms) == (None, None)
    assert seen.latency_ms == 30


@pytest.mark.parametrize(
    "at_ms",
    [(500.0,), (500.0, 501.0), (500.0,) * 30, tuple(500 + i * 0.01 for i in range(40))],
    ids=["one chunk", "two chunks", "one read", "one burst"],
)
def test_a_stream_that_came_at_once_is_buffered_and_has_no_tpot(at_ms: tuple[float, ...]) -> None:
    seen = make_measurement(*at_ms, output=40)

    assert "buffered_stream" in seen.quality_flags
    assert seen.tpot_ms is None
    assert seen.tps_excluding_ttft is None
    assert seen.ttft_ms == 500


def test_a_stream_held_back_until_its_end_is_buffered() -> None:
    late = [Chunk(SEND + (990 + i) * MS, 100, True) for i in range(10)]
    seen = make_measurement(output=200, chunks=(*make_chunks(100), *late))

    assert "buffered_stream" in seen.quality_flags


def test_a_slow_start_and_a_fast_stream_is_not_buffered() -> None:
    seen = make_measurement(*(5000 + i for i in range(50)))

    assert "buffered_stream" not in seen.quality_flags
    assert seen.tpot_ms == 1


def test_few_tokens_in_two_chunks_are_not_buffered() -> None:
    assert "buffered_stream" not in make_measurement(10, 20, output=20).quality_flags


def test_a_short_answer_held_back_until_its_end_is_buffered() -> None:
    seen = make_measurement(100, *(900 + i for i in range(11)))
    at_once = make_measurement(*(500.0,) * 3)

    assert "buffered_stream" in seen.quality_flags
    assert "buffered_stream" in at_once.quality_flags
    assert (seen.tpot_ms, at_once.tpot_ms) == (None, None)


def test_a_long_last_word_does_not_make_a_short_answer_buffered() -> None:
    words = (Chunk(SEND + 100 * MS, 1, True), Chunk(SEND + 150 * MS, 1, True))
    seen = make_measurement(output=3, chunks=(*words, Chunk(SEND + 200 * MS, 40, True)))

    assert "buffered_stream" not in seen.quality_flags


def test_a_count_that_is_not_of_the_text_gives_no_speed() -> None:
    given: dict[str, Any] = {"output": 30, "noted": frozenset({"usage_mismatch"})}
    counted = make_measurement(10, 20, 30, **given)
    estimated = make_measurement(10, 20, 30, tokens={"source": "estimated"}, **given)

    assert (counted.tps, counted.tpot_ms, counted.tps_excluding_ttft) == (None, None, None)
    assert counted.latency_ms == 30
    assert estimated.tps == 1000


@pytest.mark.parametrize(("output", "flagged"), [(5, True), (None, True), (1, False)])
def test_a_single_chunk_is_flagged_unless_it_is_all_there_was(
    output: int | None, flagged: bool
) -> None:
    seen = Measurement(SEND, make_chunks(10), TokenCounts(output=output))

    assert ("single_chunk" in seen.quality_flags) is flagged


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"tokens": {"source": "estimated"}}, "tokens_estimated"),
        ({"tokens": {"cached": 3}}, "cache_hit"),
        ({"tokens": {"reasoning": 9}}, "hidden_reasoning"),
        ({"conn0_ns": SEND - 9, "conn1_ns": SEND - 1}, "cold_connection"),
        ({"max_lag_ms": 5.1}, "client_lag"),
        ({"sched_ns": SEND - 6 * MS, "acq_ns": SEND}, "queue_wait"),
        ({"noted": frozenset({"usage_mismatch"})}, "usage_mismatch"),
    ],
)
def test_each_flag_has_its_cause(given: dict[str, Any], flag: str) -> None:
    assert make_measurement(10, 20, 30).quality_flags == ()
    assert make_measurement(10, 20, 30, **given).quality_flags == (flag,)


def test_flags_stay_down_at_their_limits() -> None:
    seen = make_measurement(10, 20, 30, max_lag_ms=5.0, sched_ns=SEND - 5 * MS, acq_ns=SEND)

    assert seen.quality_flags == ()


def test_hidden_reasoning_makes_tpot_meaningless_and_visible_reasoning_does_not() -> None:
    hidden = make_measurement(10, 20, 30, output=30, tokens={"reasoning": 20})
    shown = make_measurement(
        10, 20, 30, output=30, tokens={"reasoning": 20}, has_visible_reasoning=True
    )

    assert hidden.tpot_ms is None
    assert shown.tpot_ms is not None


def test_callers_add_the_flags_that_only_they_know() -> None:
    outcome = make_outcome(measurement=make_measurement(1, 2, 3)).with_flags("retried")

    assert outcome.figures()["quality_flags"] == ["retried"]


def test_an_attempt_that_measured_nothing_keeps_its_flags() -> None:
    limit = Failure(ErrorClass.RATE_LIMITED, "Too many requests.")
    gone = Failure(ErrorClass.CONNECT, "Nothing listens there.")

    assert make_outcome(failure=limit).figures()["quality_flags"] == ["rate_limited"]
    last = make_outcome(failure=gone).with_flags("retried")
    assert last.figures()["quality_flags"] == ["retried"]


def test_a_trace_that_was_never_sent_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="never sent"):
        Measurement.of(Trace(), [], TokenCounts())


def test_a_trace_hands_all_its_stamps_to_the_measurement() -> None:
    stamps = dict.fromkeys(("sched_ns", "acq_ns", "conn0_ns", "conn1_ns", "hdr_ns", "end_ns"), 7)
    trace = Trace(**stamps, send_ns=7, dns_ms=1.0, tls_ms=2.0, max_lag_ms=3.0)  # type: ignore[arg-type]

    seen = Measurement.of(trace, make_chunks(1), TokenCounts(output=1), bias_ms=0.5)

    assert {name: getattr(seen, name) for name in stamps} == stamps
    assert (seen.dns_ms, seen.tls_ms, seen.max_lag_ms, seen.bias_ms) == (1.0, 2.0, 3.0, 0.5)


def test_figures_carry_the_names_of_the_api() -> None:
    figures = make_outcome(measurement=make_measurement(200, 220, 240)).figures()

    assert list(figures) == [*FIGURES, "quality_flags"]
    assert figures["total_latency_ms"] == 240
    assert figures["tpot_ms"] == 20
    assert figures["output_tokens"] == 3
    assert figures["token_source"] == "usage"
    assert figures["connect_ms"] is None
    assert figures["quality_flags"] == []


def test_an_outcome_without_measurement_has_every_figure_unknown() -> None:
    failure = Failure(ErrorClass.DNS, "No such name.")
    figures = make_outcome(failure=failure).figures()

    assert figures == {**dict.fromkeys(FIGURES), "quality_flags": []}


def test_a_failed_outcome_shows_its_waits_but_no_speed() -> None:
    seen = make_measurement(10, 20, 30, sched_ns=SEND - 9 * MS, acq_ns=SEND, max_lag_ms=1.0)
    outcome = make_outcome(measurement=seen, failure=Failure(ErrorClass.TRUNCATED, "Cut."))

    known = {name for name, value in outcome.figures().items() if value is not None}
    assert known == {"queue_wait_ms", "uncertainty_ms", "quality_flags"}
    assert not outcome.ok


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=60), st.integers(1, 5000))
def test_figures_are_consistent_whatever_the_stamps(gaps: list[int], output: int) -> None:
    stamps = [SEND + sum(gaps[: i + 1]) for i in range(len(gaps))]
    chunks = tuple(Chunk(at, 3, True) for at in stamps)
    seen = Measurement(SEND, chunks, TokenCounts(output=output, source="usage"))

    assert seen.ttft_ms is not None
    assert seen.latency_ms is not None
    assert 0 < seen.ttft_ms <= seen.latency_ms
    assert seen.ttft_ms + sum(seen.inter_chunk_ms) == pytest.approx(seen.latency_ms)
    if seen.tpot_ms is not None:
        assert seen.tps_excluding_ttft == pytest.approx(1000 / seen.tpot_ms)
        assert seen.tpot_ms * (output - 1) == pytest.approx(seen.latency_ms - seen.ttft_ms)
