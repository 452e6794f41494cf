from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from arguslm.api.leases import LEASE, LeaseLost
from benchmarks import execution, tasks
from benchmarks.manifests import manifest_of
from benchmarks.models import BenchmarkRun, RunEnded
from benchmarks.probing import mark
from benchmarks.signals import run_finished
from models_app.models import Calibration
from models_app.probe import probe
from providers.simulator import Simulator
from tests.benchmarks.conftest import use_broker
from tests.benchmarks.wire import make_good, make_simulated_llm
from tests.make import make_llm, make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("channel_layer")]
SLOW = "sim:ttft=20000,gap=1,tokens=5"


def asked(simulator: Simulator, upstream_id: str) -> int:
    return sum(record.model == upstream_id for record in simulator.log)


def most_in_flight(simulator: Simulator, upstream_id: str) -> int:
    spans = [(r.t_request_read, r.t_done or 0) for r in simulator.log if r.model == upstream_id]
    return max(sum(start <= at < end for start, end in spans) for at, _ in spans)


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Working:
    """A worker's task on a thread of its own, with a database connection of its own."""

    def __init__(self, run: BenchmarkRun) -> None:
        self.thread = threading.Thread(target=self._work, args=(str(run.pk),))

    def _work(self, run_id: str) -> None:
        try:
            tasks.execute(run_id)
        finally:
            connection.close()

    def __enter__(self) -> Working:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.thread.join(timeout=15)
        assert not self.thread.is_alive()


def test_a_run_measures_every_llm_in_every_iteration(simulator: Simulator) -> None:
    quick = make_simulated_llm(simulator)
    other = make_simulated_llm(simulator, "sim:ttft=3,gap=0.5,tokens=4")
    run = make_run(quick, other, num_runs=3, max_tokens=50)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    rows = list(run.results.order_by("ordinal"))
    assert (run.status, run.failure_reason, run.lease_expires_at) == ("completed", "", None)
    assert run.started_at
    assert run.completed_at
    assert run.started_at <= rows[0].created_at <= rows[-1].created_at <= run.completed_at
    assert [row.ordinal for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {(row.llm_id, row.iteration) for row in rows} == {
        (llm.pk, i) for llm in (quick, other) for i in (1, 2, 3)
    }
    assert [row.iteration for row in rows] == [1, 1, 2, 2, 3, 3]


def test_the_figures_of_a_result_are_the_ones_the_wire_showed(simulator: Simulator) -> None:
    llm = make_simulated_llm(simulator, "sim:ttft=40,gap=5,tokens=10")
    run = make_run(llm, num_runs=1)

    tasks.execute(str(run.pk))

    row: Any = run.results.get()
    assert (row.error, row.output_tokens, row.token_source) == (None, 10, "usage")
    assert 39 < row.ttft_ms < 70
    assert row.tps == pytest.approx(row.output_tokens * 1000 / row.total_latency_ms)
    assert row.queue_wait_ms is not None


def test_a_warm_up_per_llm_is_asked_for_but_not_recorded(simulator: Simulator) -> None:
    name = "sim:ttft=2,gap=0.5,tokens=7"
    run = make_run(make_simulated_llm(simulator, name), num_runs=2)

    tasks.execute(str(run.pk))

    assert asked(simulator, name) == 3
    assert run.results.count() == 2


def test_a_failed_request_is_a_result_and_the_run_goes_on(simulator: Simulator) -> None:
    good = make_simulated_llm(simulator)
    bad = make_simulated_llm(simulator, "sim:fail=status-503")
    run = make_run(good, bad, num_runs=2)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert run.status == "completed"
    assert set(run.results.filter(llm=bad).values_list("error_class", "ttft_ms")) == {
        ("overloaded", None)
    }
    assert set(run.results.filter(llm=good).values_list("error", flat=True)) == {None}


def test_only_the_missing_iterations_are_run_after_a_crash(simulator: Simulator) -> None:
    name = "sim:ttft=2,gap=0.5,tokens=8"
    llm = make_simulated_llm(simulator, name)
    past = timezone.now() - timedelta(seconds=1)
    run = make_run(llm, num_runs=4, status="running", fence=1, lease_expires_at=past)
    for ordinal, iteration in ((1, 1), (2, 3)):
        make_good(run, llm, ordinal=ordinal, iteration=iteration)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.crashes, run.fence) == ("completed", 1, 2)
    found = list(run.results.order_by("ordinal").values_list("ordinal", "iteration"))
    assert found == [(1, 1), (2, 3), (3, 2), (4, 4)]
    assert asked(simulator, name) == 1 + 2


def test_a_run_whose_worker_died_three_times_fails(simulator: Simulator) -> None:
    past = timezone.now() - timedelta(seconds=1)
    llm = make_simulated_llm(simulator)
    run = make_run(llm, status="running", crashes=2, fence=3, lease_expires_at=past)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.failure_reason) == ("failed", "Its worker died 3 times.")


def test_a_run_that_somebody_works_on_is_left_alone(simulator: Simulator) -> None:
    lease = timezone.now() + LEASE
    llm = make_simulated_llm(simulator)
    run = make_run(llm, status="running", fence=1, lease_expires_at=lease)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.fence, run.results.count()) == ("running", 1, 0)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_an_ended_run_is_never_started_again(status: str) -> None:
    run = make_run(make_llm(), status=status)

    tasks.execute(str(run.pk))

    assert not run.results.exists()


def test_cancelling_does_not_wait_for_the_answers_in_flight(simulator: Simulator) -> None:
    quick, slow = make_simulated_llm(simulator), make_simulated_llm(simulator, SLOW)
    run = make_run(quick, slow)

    with Working(run):
        wait_for(lambda: BenchmarkRun.objects.get(pk=run.pk).started_at is not None)
        BenchmarkRun.objects.get(pk=run.pk).cancel()

    run.refresh_from_db()
    assert (run.status, run.failure_reason, run.is_cancelled) == ("failed", "cancelled", True)


def test_results_are_saved_while_others_are_in_flight(simulator: Simulator) -> None:
    quick, slow = make_simulated_llm(simulator), make_simulated_llm(simulator, "sim:ttft=600")
    run = make_run(quick, slow, num_runs=1)

    with Working(run):
        wait_for(lambda: run.results.count() == 1)
        assert BenchmarkRun.objects.get(pk=run.pk).status == "running"
        BenchmarkRun.objects.get(pk=run.pk).cancel()


def test_a_worker_that_lost_its_lease_writes_nothing_more(simulator: Simulator) -> None:
    run = make_run(make_simulated_llm(simulator, "sim:ttft=300,gap=1,tokens=3"), num_runs=3)

    with Working(run):
        wait_for(lambda: BenchmarkRun.objects.get(pk=run.pk).started_at is not None)
        BenchmarkRun.objects.filter(pk=run.pk).update(fence=99)

    run.refresh_from_db()
    assert (run.status, run.fence, run.results.count()) == ("running", 99, 0)


def test_a_worker_that_is_asked_to_stop_hands_its_run_back(simulator: Simulator) -> None:
    run = make_run(make_simulated_llm(simulator, SLOW))

    with Working(run):
        wait_for(lambda: BenchmarkRun.objects.get(pk=run.pk).started_at is not None)
        execution.draining.set()

    run.refresh_from_db()
    assert (run.status, run.lease_expires_at, run.crashes) == ("running", None, 0)
    assert list(BenchmarkRun.objects.left_lying(timezone.now())) == [run]


def test_a_draining_worker_takes_no_run() -> None:
    run = make_run(make_llm())
    execution.draining.set()

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert run.status == "pending"


def test_credentials_that_cannot_be_read_fail_the_run_with_the_cause() -> None:
    llm = make_llm()
    llm.account.credentials_encrypted = "gAAAAA-of-another-key"
    llm.account.save()
    run = make_run(llm)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert run.status == "failed"
    assert run.failure_reason.startswith("Account: The stored credentials cannot be read")


def test_a_pack_that_is_gone_fails_the_run() -> None:
    run = make_run(make_llm(), prompt_pack="gone")

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.failure_reason) == (
        "failed",
        "The prompt pack 'gone' is not known here.",
    )


def test_the_end_of_a_run_is_signalled_once(simulator: Simulator) -> None:
    heard: list[Any] = []

    def hear(run: BenchmarkRun, **kwargs: Any) -> None:
        heard.append((run.pk, run.status))

    run = make_run(make_simulated_llm(simulator), num_runs=1)
    run_finished.connect(hear)
    try:
        tasks.execute(str(run.pk))
        tasks.execute(str(run.pk))
    finally:
        run_finished.disconnect(hear)

    assert heard == [(run.pk, "completed")]


def test_a_run_goes_on_while_the_broker_is_away(simulator: Simulator, settings: Any) -> None:
    use_broker(settings, "redis://127.0.0.1:1/0")
    run = make_run(make_simulated_llm(simulator), num_runs=2)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.results.count()) == ("completed", 2)


def test_the_sweep_finds_what_nobody_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now, sent = timezone.now(), list[str]()
    monkeypatch.setattr("benchmarks.tasks.send", lambda task, run_id: sent.append(run_id))
    fresh, forgotten = make_run(make_llm()), make_run(make_llm())
    dead = make_run(make_llm(), status="running", lease_expires_at=now - timedelta(seconds=1))
    make_run(make_llm(), status="running", lease_expires_at=now + LEASE)
    make_run(make_llm(), status="completed")
    BenchmarkRun.objects.filter(pk=forgotten.pk).update(created_at=now - timedelta(seconds=4))

    tasks.sweep()

    assert sent == [str(forgotten.pk), str(dead.pk)]
    assert fresh.status == "pending"


def test_wrong_transitions_are_refused() -> None:
    run = make_run(make_llm())
    for verb in (run.start, run.complete, lambda: run.fail("a reason"), run.heartbeat):
        with pytest.raises(LeaseLost):
            verb()
    run.cancel()
    with pytest.raises(RunEnded):
        run.cancel()


def test_a_worker_has_three_seats(simulator: Simulator) -> None:
    runs = [make_run(make_simulated_llm(simulator, SLOW)) for _ in range(4)]

    with Working(runs[0]), Working(runs[1]), Working(runs[2]):
        wait_for(lambda: BenchmarkRun.objects.filter(status="running").count() == 3)
        tasks.execute(str(runs[3].pk))
        assert BenchmarkRun.objects.get(pk=runs[3].pk).status == "pending"
        for run in BenchmarkRun.objects.open():
            run.cancel()


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the probe was asked to send; it sends it all the same."""
    sent: list[str] = []

    async def noted(target: Any, pack: Any, **options: Any) -> Any:
        sent.append(options["mark"] + pack.prompt)
        return await probe(target, pack, **options)

    monkeypatch.setattr("benchmarks.probing.probe", noted)
    return sent


def test_every_prompt_has_a_mark_of_its_own_in_front(
    simulator: Simulator, prompts: list[str]
) -> None:
    llm = make_simulated_llm(simulator)
    run = make_run(llm, num_runs=3, prompt="Say it.")

    tasks.execute(str(run.pk))

    assert prompts == [f"{mark(run.pk, llm.pk, iteration)}Say it." for iteration in (0, 1, 2, 3)]
    assert len(set(prompts)) == 4
    assert {len(prompt) for prompt in prompts} == {len("[0123456789ab] Say it.")}


def test_without_cache_busting_the_prompt_is_sent_as_it_is(
    simulator: Simulator, prompts: list[str]
) -> None:
    llm = make_simulated_llm(simulator)
    run = make_run(llm, num_runs=2, prompt="Say it.", cache_busting=False)

    tasks.execute(str(run.pk))

    assert prompts == ["Say it."] * 3


@pytest.mark.parametrize(
    ("fault", "quirks"),
    [
        ("refuse-stream-options", {"stream_options": False}),
        ("refuse-max-tokens", {"token_param": "max_completion_tokens"}),
    ],
)
def test_a_field_that_a_provider_refuses_is_sent_once_and_never_again(
    simulator: Simulator, fault: str, quirks: dict[str, Any]
) -> None:
    name = f"sim:ttft=2,gap=0.5,tokens=6,fail={fault}"
    llm = make_simulated_llm(simulator, name)
    run = make_run(llm, num_runs=4)
    before = asked(simulator, name)

    tasks.execute(str(run.pk))

    llm.account.refresh_from_db()
    assert run.results.filter(error=None).count() == 4
    # The refused one, the warm-up and four.
    assert (asked(simulator, name) - before, llm.account.quirks) == (6, quirks)


def test_an_open_loop_counts_response_times_from_its_timetable(simulator: Simulator) -> None:
    llm = make_simulated_llm(simulator, "sim:ttft=150,gap=1,tokens=5")
    llm.account.concurrency_limit = 1
    llm.account.save()
    run = make_run(llm, num_runs=5, request_rate=100.0, arrivals="constant")

    tasks.execute(str(run.pk))

    rows: list[Any] = list(run.results.order_by("iteration"))
    assert [row.error for row in rows] == [None] * 5
    # One at a time against a hundred a second: each waits for all before it.
    assert rows[-1].queue_wait_ms > 500
    assert rows[-1].response_ms == pytest.approx(
        rows[-1].queue_wait_ms + rows[-1].total_latency_ms, abs=20
    )
    assert max(row.ttft_ms for row in rows) < 250


def test_a_closed_loop_counts_no_wait_for_the_turns_of_others(simulator: Simulator) -> None:
    llm = make_simulated_llm(simulator, "sim:ttft=150,gap=1,tokens=5")
    llm.account.concurrency_limit = 1
    llm.account.save()
    others = [make_llm(llm.account, f"sim:ttft=150,gap=1,tokens=5,seed={n}") for n in (1, 2)]
    run = make_run(llm, *others, num_runs=2)

    tasks.execute(str(run.pk))

    rows: list[Any] = list(run.results.all())
    assert [row.error for row in rows] == [None] * 6
    assert {row.queue_wait_ms for row in rows} == {0.0}


def test_concurrency_keeps_so_many_requests_to_one_model_in_flight(simulator: Simulator) -> None:
    name = "sim:ttft=60,gap=1,tokens=4"
    run = make_run(make_simulated_llm(simulator, name), num_runs=12, concurrency_per_llm=6)

    tasks.execute(str(run.pk))

    assert run.results.filter(error=None).count() == 12
    assert most_in_flight(simulator, name) == 6


def test_a_model_that_used_up_its_time_is_asked_no_more(simulator: Simulator) -> None:
    slow = make_simulated_llm(simulator, "sim:ttft=600,gap=1,tokens=2")
    quick = make_simulated_llm(simulator)
    run = make_run(slow, quick, num_runs=4, model_time_limit_s=1)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert run.status == "completed"
    assert run.results.filter(llm=slow).count() == 2
    assert run.results.filter(llm=quick).count() == 4


def test_a_resumed_run_remembers_the_time_that_its_models_took(simulator: Simulator) -> None:
    past = timezone.now() - timedelta(seconds=1)
    llm = make_simulated_llm(simulator)
    run = make_run(llm, num_runs=5, status="running", model_time_limit_s=3, lease_expires_at=past)
    make_good(run, llm, started_at=past - timedelta(seconds=4), created_at=past)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.results.count()) == ("completed", 1)


def test_a_run_that_reached_its_time_limit_fails_and_keeps_its_results(
    simulator: Simulator,
) -> None:
    run = make_run(
        make_simulated_llm(simulator, "sim:ttft=500,gap=1,tokens=2"),
        num_runs=9,
        run_time_limit_s=2,
    )

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert run.status == "failed"
    done = run.results.count()
    assert 1 <= done <= 3
    assert run.failure_reason == f"Its time limit of 2 s was reached after {done} of 9 requests."


def test_a_run_notes_what_measured_it_and_at_which_prices(simulator: Simulator) -> None:
    Calibration.objects.create(bias_ms=0.2, spread_ms=0.1)
    prices = {"input_price_per_1m": 2.5, "output_price_per_1m": 10}
    llm, free = make_simulated_llm(simulator, metadata=prices), make_simulated_llm(simulator)
    run = make_run(llm, free, num_runs=1)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    facts = run.facts
    assert {"python", "platform", "event_loop", "packages", "calibrated_bias_ms"} < set(facts)
    assert (facts["calibration"]["bias_ms"], facts["calibration"]["noisy"]) == (0.2, False)
    assert facts["prices"]["list"].startswith("genai-prices 0.")
    assert facts["prices"]["usd_per_1m"] == {
        str(llm.pk): {"input": 2.5, "output": 10.0},
        str(free.pk): {"input": None, "output": None},
    }
    assert manifest_of(run)["prices"] == facts["prices"]


def test_a_resumed_run_keeps_the_facts_of_its_beginning(simulator: Simulator) -> None:
    past = timezone.now() - timedelta(seconds=1)
    llm, facts = make_simulated_llm(simulator), {"prices": {"taken_at": "2026-01-31T12:00:00Z"}}
    run = make_run(llm, num_runs=1, status="running", lease_expires_at=past, facts=facts)

    tasks.execute(str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.facts) == ("completed", facts)


def test_a_result_keeps_when_it_began_and_our_estimate_of_its_length(simulator: Simulator) -> None:
    run = make_run(make_simulated_llm(simulator), num_runs=1)

    tasks.execute(str(run.pk))

    result: Any = run.results.get()
    assert result.answer_estimate > 0
    assert result.started_at < result.created_at
