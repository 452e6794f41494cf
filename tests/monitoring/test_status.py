from __future__ import annotations

import itertools

import pytest

from monitoring.status import (
    Attempt,
    CheckResult,
    CheckStatus,
    Confirmation,
    Done,
    LatencyLimits,
    Retry,
    classify,
    next_step,
    self_offline,
)
from providers.errors import PASSING, ErrorClass

UP, DEGRADED, DOWN = CheckStatus.UP, CheckStatus.DEGRADED, CheckStatus.DOWN
E = ErrorClass

EXPECTED: dict[ErrorClass, tuple[CheckStatus, bool]] = {
    E.DNS: (DOWN, True),
    E.CONNECT: (DOWN, True),
    E.TLS: (DOWN, True),
    E.TIMEOUT_CONNECT: (DOWN, True),
    E.TIMEOUT_TTFT: (DOWN, True),
    E.TIMEOUT_TOTAL: (DOWN, True),
    E.SERVER_ERROR: (DOWN, True),
    E.OVERLOADED: (DOWN, True),
    E.EMPTY: (DOWN, True),
    E.TRUNCATED: (DOWN, True),
    E.MALFORMED: (DOWN, True),
    E.CONTENT_FILTER: (DEGRADED, True),
    E.ASSERTION: (DEGRADED, True),
    E.RATE_LIMITED: (DEGRADED, False),
    E.NO_ANSWER: (DEGRADED, False),
    E.QUOTA: (DOWN, False),
    E.AUTH: (DOWN, False),
    E.NOT_FOUND: (DOWN, False),
    E.BAD_REQUEST: (DOWN, False),
}


def make_good(ttft_ms: float | None = 300.0, latency_ms: float | None = 900.0) -> Attempt:
    return Attempt(figures={"ttft_ms": ttft_ms, "total_latency_ms": latency_ms})


def make_failed(error_class: ErrorClass) -> Attempt:
    return Attempt(error_class, f"It failed: {error_class}.")


def make_result(error_class: ErrorClass | None = None, *, ok: bool = False) -> CheckResult:
    failed = [] if error_class is None else [make_failed(error_class)]
    return classify([*failed, make_good()] if ok or not failed else failed)


def steps_of(attempts: list[Attempt], confirmation: Confirmation | None = None) -> list[float]:
    """The pauses taken until the check is done, feeding one attempt after the other."""
    config = confirmation or Confirmation()
    pauses: list[float] = []
    for count in range(len(attempts) + 1):
        step = next_step(attempts[:count], config)
        if isinstance(step, Done):
            return pauses
        pauses.append(step.after_s)
    raise AssertionError("The check is not done.")


def test_every_error_class_has_an_expected_status() -> None:
    assert set(EXPECTED) == set(ErrorClass)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_a_failed_check_has_the_status_of_its_class(error_class: ErrorClass) -> None:
    status, counts = EXPECTED[error_class]

    result = classify([make_failed(error_class)])

    assert result == CheckResult(
        status=status,
        error_class=error_class,
        counts_for_provider_uptime=counts,
        error=f"It failed: {error_class}.",
        figures_index=None,
    )


def test_the_first_probe_starts_at_once() -> None:
    assert next_step([]) == Retry(0.0)


def test_a_good_first_attempt_is_up() -> None:
    assert next_step([make_good()]) == Done(CheckResult(UP, None, True, None, 0))


@pytest.mark.parametrize("error_class", sorted(PASSING))
def test_what_can_pass_is_confirmed_after_2_and_5_seconds(error_class: ErrorClass) -> None:
    assert steps_of([make_failed(error_class)] * 3) == [0.0, 2.0, 5.0]


@pytest.mark.parametrize("error_class", sorted(set(ErrorClass) - PASSING))
def test_what_cannot_pass_is_recorded_at_once(error_class: ErrorClass) -> None:
    assert steps_of([make_failed(error_class)]) == [0.0]


@pytest.mark.parametrize(("passing", "final"), list(itertools.product(sorted(PASSING), ErrorClass)))
def test_a_retry_that_fails_differently_decides(passing: ErrorClass, final: ErrorClass) -> None:
    attempts = [make_failed(passing), make_failed(final)]

    step = next_step(attempts, Confirmation((2.0,)))

    assert isinstance(step, Done)
    assert step.result.error_class is final
    assert step.result.status is EXPECTED[final][0]


@pytest.mark.parametrize("error_class", sorted(PASSING))
@pytest.mark.parametrize("failures", [1, 2])
def test_a_retry_that_succeeds_is_degraded_and_keeps_the_class(
    error_class: ErrorClass, failures: int
) -> None:
    attempts = [make_failed(error_class)] * failures + [make_good()]

    assert next_step(attempts) == Done(
        CheckResult(
            status=DEGRADED,
            error_class=error_class,
            counts_for_provider_uptime=True,
            error=f"Answered only at attempt {failures + 1}, after: It failed: {error_class}.",
            figures_index=failures,
        )
    )


@pytest.mark.parametrize("pauses", [(), (1.0,), (1.0, 2.0, 3.0, 4.0)])
def test_there_are_as_many_retries_as_pauses(pauses: tuple[float, ...]) -> None:
    attempts = [make_failed(E.SERVER_ERROR)] * (len(pauses) + 1)

    assert steps_of(attempts, Confirmation(pauses)) == [0.0, *pauses]


@pytest.mark.parametrize(
    "sequence",
    [
        pattern
        for length in (1, 2, 3)
        for pattern in itertools.product([None, E.CONNECT, E.RATE_LIMITED, E.AUTH], repeat=length)
    ],
)
def test_only_a_passing_failure_is_ever_followed_by_another_probe(
    sequence: tuple[ErrorClass | None, ...],
) -> None:
    attempts = [make_good() if e is None else make_failed(e) for e in sequence]
    expects_more = sequence[-1] is E.CONNECT and len(sequence) < 3

    assert isinstance(next_step(attempts), Retry) is expects_more


@pytest.mark.parametrize(
    ("limits", "status", "error"),
    [
        (LatencyLimits(), UP, None),
        (LatencyLimits(ttft_ms=2000, latency_ms=8000), UP, None),
        (LatencyLimits(ttft_ms=1999), DEGRADED, "TTFT 2,000 ms is above the limit of 1,999 ms."),
        (
            LatencyLimits(latency_ms=5000),
            DEGRADED,
            "Latency 8,000 ms is above the limit of 5,000 ms.",
        ),
        (
            LatencyLimits(ttft_ms=1000, latency_ms=5000),
            DEGRADED,
            "TTFT 2,000 ms is above the limit of 1,000 ms. "
            "Latency 8,000 ms is above the limit of 5,000 ms.",
        ),
    ],
)
def test_an_answer_beyond_the_llms_own_limits_is_degraded(
    limits: LatencyLimits, status: CheckStatus, error: str | None
) -> None:
    result = classify([make_good(2000.0, 8000.0)], limits)

    assert result == CheckResult(status, None, True, error, 0)


def test_an_unknown_figure_breaks_no_limit() -> None:
    limits = LatencyLimits(ttft_ms=1, latency_ms=1)

    assert classify([make_good(None, None)], limits).status is UP
    assert classify([Attempt()], limits).status is UP


def test_a_late_answer_beyond_the_limits_says_both() -> None:
    result = classify([make_failed(E.DNS), make_good(2000.0)], LatencyLimits(ttft_ms=500))

    assert result.error == (
        "Answered only at attempt 2, after: It failed: dns. "
        "TTFT 2,000 ms is above the limit of 500 ms."
    )


def test_the_error_sentence_is_bounded() -> None:
    result = classify([Attempt(E.DNS, "x" * 500), make_good()])

    assert result.error is not None
    assert len(result.error) == 500


def test_no_attempt_is_no_result() -> None:
    with pytest.raises(ValueError):
        classify([])


@pytest.mark.parametrize(
    ("unreachable", "reachable", "offline"),
    [
        (0, 0, False),
        (2, 0, False),
        (3, 0, True),
        (3, 3, True),
        (3, 4, False),
        (4, 4, True),
        (10, 11, False),
    ],
)
def test_the_monitor_is_offline_when_three_and_half_of_the_providers_are_unreachable(
    unreachable: int, reachable: int, offline: bool
) -> None:
    results = {i: [make_result(E.CONNECT)] for i in range(unreachable)}
    results |= {100 + i: [make_result()] for i in range(reachable)}

    assert self_offline(results) is offline


@pytest.mark.parametrize("error_class", ErrorClass)
def test_only_a_missing_connection_points_to_our_own_network(error_class: ErrorClass) -> None:
    results = {i: [make_result(error_class)] for i in range(3)}

    assert self_offline(results) is (error_class in {E.DNS, E.CONNECT, E.TIMEOUT_CONNECT})


def test_a_provider_with_one_reachable_llm_is_reachable() -> None:
    mixed = [make_result(E.CONNECT), make_result(E.SERVER_ERROR)]

    assert not self_offline(dict.fromkeys(range(3), mixed))
    assert not self_offline({i: [make_result(E.DNS, ok=True)] for i in range(3)})


def test_providers_without_results_are_not_counted() -> None:
    results = {i: [make_result(E.DNS)] for i in range(3)} | {9: [], 10: [], 11: [], 12: []}

    assert self_offline(results)
