from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from providers.simulator import (
    DEFAULT_MODELS,
    Behaviour,
    BehaviourError,
    behaviour_from,
    behaviour_named,
    load_models,
)
from providers.simulator.naming import SHORT_KEYS
from providers.simulator.speech import compose, counting_range
from providers.simulator.timetable import timetable


def test_a_name_describes_a_behaviour() -> None:
    read = behaviour_named("sim:ttft=200,gap=1.5,tokens=50,chunk=2,fail=status-503,rate=0.5")

    assert read == Behaviour(
        ttft_ms=200,
        gap_ms=1.5,
        tokens=50,
        tokens_per_chunk=2,
        failure="status-503",
        failure_rate=0.5,
    )


def test_a_bare_prefix_is_the_plain_behaviour() -> None:
    assert behaviour_named("sim:") == Behaviour()


def test_every_short_key_names_a_field_and_every_field_has_one() -> None:
    assert set(SHORT_KEYS.values()) == {field.name for field in dataclasses.fields(Behaviour)}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sim:speed=3", "asks for 'speed=3'"),
        ("sim:ttft", "asks for 'ttft'"),
        ("sim:ttft=1,ttft=2", "gives 'ttft' twice"),
        ("sim:ttft=soon", "ttft_ms must be a number"),
        ("sim:ttft=nan", "ttft_ms must be a number"),
        ("sim:ttft=-1", "ttft_ms must be a number from 0"),
        ("sim:tokens=1.5", "tokens must be a number"),
        ("sim:tokens=99999999999999999999", "tokens must be a whole number"),
        ("sim:tokens=" + "9" * 5000, "tokens must be a number"),
        ("sim:fail=explode", "Unknown failure 'explode'"),
        ("sim:fail=", "Unknown failure ''"),
        ("sim:fail=status-200", "Unknown failure 'status-200'"),
        ("sim:style=loud", "reasoning_style must be one of"),
        ("sim:answer=\ud800", "cannot be sent as UTF-8"),
    ],
)
def test_a_name_that_cannot_be_read_says_why(name: str, sentence: str) -> None:
    with pytest.raises(BehaviourError, match=sentence):
        behaviour_named(name)


@pytest.mark.parametrize(
    "fields",
    [{"speed": 1}, {"tokens": True}, {"tokens": None}, {"ttft_ms": "1"}, {"failure": 5},
     {"usage": ["stream"]}, {"answer": 3}, {"ttft_ms": float("inf")}],
)  # fmt: skip
def test_fields_of_the_wrong_kind_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BehaviourError):
        behaviour_from(fields)


def test_a_models_file_maps_names_to_behaviours(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"quick": {"ttft_ms": 5}}))

    assert load_models(path) == {"quick": Behaviour(ttft_ms=5)}


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"a": 1}', '{"a": {"speed": 1}}'])
def test_a_models_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.json"
    path.write_text(text)

    with pytest.raises(BehaviourError):
        load_models(path)


def test_a_failure_rate_strikes_about_as_often_as_asked_and_repeats() -> None:
    flaky = Behaviour(failure="status-500", failure_rate=0.25, seed=3)
    struck = [bool(flaky.faults(nth)) for nth in range(1, 2001)]

    assert 400 < sum(struck) < 600
    assert struck == [bool(flaky.faults(nth)) for nth in range(1, 2001)]


def test_the_first_requests_alone_can_fail() -> None:
    healing = Behaviour(failure="status-503", fail_first=2)

    assert [bool(healing.faults(nth)) for nth in (1, 2, 3)] == [True, True, False]


def test_chunks_are_due_at_absolute_offsets() -> None:
    behaviour = Behaviour(ttft_ms=200, gap_ms=20, tokens=5, tokens_per_chunk=2)
    speech = compose(behaviour, frozenset(), None, None)

    assert timetable(behaviour, speech, 1, 0.0) == (200_000_000, 220_000_000, 240_000_000)
    assert [piece.tokens for piece in speech.answer] == [2, 2, 1]


def test_a_stall_moves_everything_after_it() -> None:
    behaviour = Behaviour(ttft_ms=10, gap_ms=1, tokens=4, stall_after_tokens=2, stall_ms=100)
    speech = compose(behaviour, frozenset(), None, None)

    due = timetable(behaviour, speech, 1, 0.0)
    assert [ns // 1_000_000 for ns in due] == [10, 11, 112, 113]


def test_hidden_reasoning_delays_the_first_chunk() -> None:
    behaviour = Behaviour(
        ttft_ms=10, gap_ms=5, tokens=1, reasoning_tokens=4, reasoning_style="hidden"
    )
    speech = compose(behaviour, frozenset(), None, None)

    assert timetable(behaviour, speech, 1, 0.0) == (30_000_000,)
    assert speech.tokens == 5


def test_jitter_repeats_with_the_seed_and_never_runs_backwards() -> None:
    behaviour = Behaviour(ttft_ms=5, gap_ms=2, jitter_ms=50, ttft_jitter_ms=50, seed=1)
    speech = compose(behaviour, frozenset(), None, None)

    due = timetable(behaviour, speech, 4, 0.0)
    assert due == timetable(behaviour, speech, 4, 0.0)
    assert due != timetable(behaviour, speech, 5, 0.0)
    assert list(due) == sorted(due)


def test_drift_is_a_wave_over_the_period() -> None:
    behaviour = Behaviour(ttft_ms=100, drift_ms=400, drift_period_s=60)
    speech = compose(behaviour, frozenset(), None, None)

    firsts = [timetable(behaviour, speech, 1, age)[0] // 1_000_000 for age in (0.0, 30.0, 60.0)]
    assert firsts == [100, 500, 100]


@pytest.mark.parametrize(
    ("limit", "thought", "said", "finish"),
    [(None, 4, 6, "stop"), (10, 4, 6, "stop"), (9, 4, 5, "length"), (3, 3, 0, "length")],
)
def test_a_token_limit_cuts_thinking_first(
    limit: int | None, thought: int, said: int, finish: str
) -> None:
    speech = compose(Behaviour(tokens=6, reasoning_tokens=4), frozenset(), limit, None)

    assert (speech.reasoning_tokens, speech.answer_tokens, speech.finish) == (thought, said, finish)


def test_a_prompt_that_asks_to_count_is_answered_by_counting() -> None:
    count = counting_range("Please count from 1 to 20, separated by commas.")
    speech = compose(Behaviour(tokens=20), frozenset(), None, count)

    assert speech.answer_text == ", ".join(str(number) for number in range(1, 21))


def test_an_answer_of_ones_own_is_said_word_for_word() -> None:
    speech = compose(Behaviour(answer="The answer is  42.\n"), frozenset(), None, None)

    assert speech.answer_text == "The answer is  42.\n"
    assert speech.answer_tokens == 4


def test_the_default_models_show_good_and_bad_days() -> None:
    assert {"sim-fast", "sim-steady", "sim-slow", "sim-reasoning", "sim-flaky", "sim-down"} < set(
        DEFAULT_MODELS
    )
