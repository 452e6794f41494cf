from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import ANY
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.utils import timezone

from models_app.models import LLM
from monitoring import checks, desk, rounds, shares, works, writer
from monitoring.desk import Desk
from monitoring.models import MonitoringConfig, Round, RoundShare, UptimeCheck
from monitoring.probing import Course, Probing
from monitoring.tasks import tick
from monitoring.works import Work
from providers.models import ProviderAccount
from providers.simulator import RequestRecord, Simulator
from tests.make import make_account, make_check, make_llm
from tests.monitoring.conftest import AccountMaker

pytestmark = pytest.mark.django_db
QUICK = "sim:ttft=5,gap=1,tokens=5"


def open_round() -> Round:
    return rounds.open_manual(timezone.now())[0]


def work_off(round: Round) -> Round:
    shares.work_on(*round.shares.values_list("pk", flat=True))
    round.refresh_from_db()
    return round


def only_check() -> UptimeCheck:
    return UptimeCheck.objects.get()


def probed(simulator: Simulator, model: str) -> list[RequestRecord]:
    return [record for record in simulator.log if record.model == model]


def test_a_round_measures_every_monitored_model_and_ends(make_simulated: AccountMaker) -> None:
    names = [f"{QUICK},seed={seed}" for seed in range(6)]
    make_simulated(*names[:3])
    make_simulated(*names[3:])

    done = work_off(open_round())

    assert done.status == "completed"
    assert done.started_at is not None
    assert sorted(check.llm.upstream_id for check in done.checks.all()) == names
    assert {check.status for check in done.checks.all()} == {"up"}
    assert MonitoringConfig.load().last_run_at == done.finished_at


def test_a_good_check_holds_the_figures_of_its_one_attempt(make_simulated: AccountMaker) -> None:
    make_simulated("sim:ttft=60,gap=2,tokens=20")
    work_off(open_round())
    check = only_check()
    assert (check.status, check.error, check.error_class) == ("up", None, None)
    assert check.counts_for_uptime
    assert check.ttft_ms is not None
    assert check.ttft_ms >= 35
    assert check.output_tokens == 20
    assert check.token_source == "usage"
    assert check.queue_wait_ms is not None
    assert check.prompt_pack == "health_check"
    assert check.attempts == [
        {
            "ok": True,
            "at": check.created_at.isoformat(),
            "error_class": None,
            "error": None,
            "ttft_ms": check.ttft_ms,
            "total_latency_ms": check.total_latency_ms,
        }
    ]


def test_a_failure_that_stays_is_confirmed_and_recorded_as_down(
    make_simulated: AccountMaker, simulator: Simulator, quick_confirmation: None
) -> None:
    model = f"{QUICK},fail=status-503"
    make_simulated(model)
    work_off(open_round())
    check = only_check()
    assert (check.status, check.error_class, check.ttft_ms) == ("down", "overloaded", None)
    assert check.error
    assert [attempt["ok"] for attempt in check.attempts] == [False] * 3
    assert "retried" in check.quality_flags
    assert len(probed(simulator, model)) == 3


def test_a_failure_that_passes_makes_the_model_degraded_with_the_figures_of_the_good_attempt(
    make_simulated: AccountMaker, quick_confirmation: None
) -> None:
    make_simulated(f"{QUICK},fail=status-500,first=1")
    work_off(open_round())
    check = only_check()
    assert (check.status, check.error_class) == ("degraded", "server_error")
    assert [attempt["ok"] for attempt in check.attempts] == [False, True]
    assert check.ttft_ms == check.attempts[1]["ttft_ms"]
    assert "retried" in check.quality_flags


def test_what_cannot_pass_by_itself_is_recorded_at_once(
    make_simulated: AccountMaker, simulator: Simulator
) -> None:
    model = f"{QUICK},fail=status-401"
    make_simulated(model)
    work_off(open_round())
    check = only_check()
    assert (check.status, check.error_class, check.counts_for_uptime) == ("down", "auth", False)
    assert len(probed(simulator, model)) == 1


def test_a_rate_limit_is_not_hammered_and_is_no_outage(
    make_simulated: AccountMaker, simulator: Simulator
) -> None:
    model = f"{QUICK},fail=status-429"
    make_simulated(model)
    work_off(open_round())
    check = only_check()
    assert (check.status, check.error_class) == ("degraded", "rate_limited")
    assert "rate_limited" in check.quality_flags
    assert not check.counts_for_uptime
    assert len(probed(simulator, model)) == 1


def test_credentials_that_cannot_be_read_say_so_for_each_model() -> None:
    account = make_account()
    ProviderAccount.objects.update(credentials_encrypted="sealed with another key")
    make_llm(account, enabled_for_monitoring=True)
    done = work_off(open_round())
    check = only_check()
    assert (check.status, check.error_class) == ("down", "bad_request")
    assert not check.counts_for_uptime
    assert "ENCRYPTION_KEY" in (check.error or "")
    assert done.status == "completed"


def test_a_provider_that_cannot_be_resolved_says_so_for_each_model() -> None:
    account = make_account({}, provider_type="custom_openai_compatible")
    make_llm(account, enabled_for_monitoring=True)
    work_off(open_round())
    assert (only_check().status, only_check().error_class) == ("down", "bad_request")


def test_the_limit_of_an_account_holds_and_the_wait_for_it_is_told(
    make_simulated: AccountMaker, simulator: Simulator
) -> None:
    names = [f"sim:ttft=30,gap=1,tokens=5,seed={seed}" for seed in range(100, 108)]
    make_simulated(*names, concurrency_limit=2)
    work_off(open_round())
    records = [record for record in simulator.log if record.model in names]
    assert most_at_once(records) == 2
    last = UptimeCheck.objects.latest("queue_wait_ms")
    assert (last.queue_wait_ms or 0) > 60
    assert "queue_wait" in last.quality_flags


def most_at_once(records: Sequence[RequestRecord]) -> int:
    begins = [(record.t_request_read, 1) for record in records]
    ends = [(record.t_last_write or 0, -1) for record in records]
    running, most = 0, 0
    for _, step in sorted(begins + ends):
        running += step
        most = max(most, running)
    return most


def test_without_an_own_limit_the_global_settings_hold(
    make_simulated: AccountMaker, simulator: Simulator
) -> None:
    names = [f"sim:ttft=30,gap=1,tokens=5,seed={seed}" for seed in range(200, 209)]
    make_simulated(*names)
    MonitoringConfig.load().change(timezone.now(), provider_concurrency=9, global_concurrency=3)
    work_off(open_round())
    assert most_at_once([record for record in simulator.log if record.model in names]) == 3


def test_a_pause_before_a_confirmation_holds_no_permit(
    make_simulated: AccountMaker,
) -> None:
    MonitoringConfig.load().change(timezone.now(), confirmation_pauses_s=[1.5])
    make_simulated(f"{QUICK},fail=status-500", f"{QUICK},seed=9", concurrency_limit=1)
    work_off(open_round())
    good = UptimeCheck.objects.get(status="up")
    assert good.queue_wait_ms is not None
    assert good.queue_wait_ms < 1200


def test_a_second_worker_finds_nothing_to_do(
    make_simulated: AccountMaker, simulator: Simulator
) -> None:
    model = f"{QUICK},seed=31"
    make_simulated(model)
    done = work_off(work_off(open_round()))
    assert done.checks.count() == 1
    assert len(probed(simulator, model)) == 1


def test_a_share_in_the_hands_of_a_live_worker_is_left_to_it(make_simulated: AccountMaker) -> None:
    make_simulated(QUICK)
    opened = open_round()
    assert RoundShare.claim(opened.shares.get().pk) is not None
    work_off(opened)
    assert not UptimeCheck.objects.exists()


def open_two_rounds(account: ProviderAccount) -> list[RoundShare]:
    """A scheduled round and one by hand: two shares of one account at the same time."""
    open_round()
    rounds.open_due(timezone.now())
    return list(account_shares(account))


def account_shares(account: ProviderAccount) -> QuerySet[RoundShare]:
    return RoundShare.objects.filter(account=account).order_by("created_at")


def test_shares_of_one_account_are_in_the_hands_of_one_process(
    make_simulated: AccountMaker,
) -> None:
    first, second = open_two_rounds(make_simulated(QUICK))
    ours, other = uuid4(), uuid4()
    assert RoundShare.take(first.pk, ours) is not None
    assert RoundShare.take(second.pk, other) is None
    assert RoundShare.take(second.pk, ours) is not None


def test_shares_of_an_account_whose_process_is_gone_are_free(make_simulated: AccountMaker) -> None:
    first, second = open_two_rounds(make_simulated(QUICK))
    assert RoundShare.take(first.pk, uuid4()) is not None
    RoundShare.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert RoundShare.take(second.pk, uuid4()) is not None


def test_whoever_has_an_account_takes_its_other_shares_and_keeps_its_limit(
    make_simulated: AccountMaker, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "NEIGHBOURS_S", 0.05)
    names = [f"sim:ttft=200,gap=1,tokens=5,seed={seed}" for seed in (32, 33)]
    first, second = open_two_rounds(make_simulated(*names, concurrency_limit=1))
    shares.work_on(first.pk)
    second.refresh_from_db()
    assert (second.status, UptimeCheck.objects.count()) == ("completed", 4)
    assert most_at_once([record for record in simulator.log if record.model in names]) == 1


def test_after_a_kill_only_the_missing_models_are_probed(
    make_simulated: AccountMaker, simulator: Simulator
) -> None:
    names = [f"{QUICK},seed={seed}" for seed in (41, 42, 43)]
    account = make_simulated(*names)
    opened = open_round()
    killed = RoundShare.claim(opened.shares.get().pk, timezone.now() - timedelta(seconds=60))
    make_check(account.llms.get(upstream_id=names[0]), opened)

    done = work_off(opened)

    assert (done.status, done.checks.count()) == ("completed", 3)
    assert [len(probed(simulator, name)) for name in names] == [0, 1, 1]
    assert killed is not None
    assert opened.shares.get().crashes == 1


def test_a_worker_that_lost_its_lease_writes_nothing(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_simulated(QUICK)
    opened = open_round()

    def steal(self: Probing) -> Any:
        RoundShare.objects.update(fence=99)
        return original(self)

    original = Probing.run
    monkeypatch.setattr(Probing, "run", steal)
    done = work_off(opened)
    assert (done.is_open, UptimeCheck.objects.count()) == (True, 0)


def test_a_share_that_keeps_killing_its_workers_is_given_up(make_simulated: AccountMaker) -> None:
    make_simulated(QUICK)
    opened = open_round()
    ago = timezone.now() - timedelta(minutes=1)
    opened.shares.update(status="running", lease_expires_at=ago, crashes=desk.MAX_CRASHES)
    done = work_off(opened)
    assert (done.status, done.checks.count()) == ("completed", 0)


def test_a_worker_that_is_told_to_end_hands_its_share_back(make_simulated: AccountMaker) -> None:
    make_simulated("sim:ttft=1500,gap=1,tokens=5")
    opened = open_round()
    leaving = Desk()
    leaving.take(opened.shares.get().pk)
    leaving.turn()
    leaving.leave()
    leaving.run_until_idle()
    share = opened.shares.get()
    assert (share.status, share.lease_expires_at, share.crashes) == ("running", None, 0)

    done = work_off(opened)

    assert (done.status, done.checks.count(), opened.shares.get().crashes) == ("completed", 1, 0)


def test_a_fault_of_ours_with_one_model_costs_the_others_nothing(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_simulated(f"{QUICK},seed=51", f"{QUICK},seed=52")
    broken = LLM.objects.get(upstream_id__endswith="51")
    original = Probing._attempt

    async def attempt(self: Probing, course: Course, *times: Any) -> Any:
        if course.subject.target.llm_id == broken.pk:
            raise ZeroDivisionError
        return await original(self, course, *times)

    monkeypatch.setattr(Probing, "_attempt", attempt)
    done = work_off(open_round())
    assert [check.llm.upstream_id for check in done.checks.all()] == [f"{QUICK},seed=52"]
    assert done.status == "completed"
    assert "ZeroDivisionError" in caplog.text


def test_a_model_deleted_or_switched_off_in_mid_round_is_left_out(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_simulated(f"{QUICK},seed=61", f"{QUICK},seed=62", f"{QUICK},seed=63")
    original = Probing.run

    def meanwhile(self: Probing) -> Any:
        LLM.objects.get(upstream_id__endswith="61").delete()
        LLM.objects.filter(upstream_id__endswith="62").update(enabled_for_monitoring=False)
        return original(self)

    monkeypatch.setattr(Probing, "run", meanwhile)
    done = work_off(open_round())
    assert [check.llm.upstream_id for check in done.checks.all()] == [f"{QUICK},seed=63"]
    assert done.status == "completed"


def test_a_model_switched_off_while_it_waits_for_its_turn_is_not_asked(
    make_simulated: AccountMaker, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEARTBEAT_S", "LOOK_AROUND_S", "FLUSH_S"):
        monkeypatch.setattr(desk, name, 0.02)
    waiting = f"{QUICK},seed=72"
    make_simulated("sim:ttft=400,gap=1,tokens=5", waiting, concurrency_limit=1)
    original = Probing.run

    def meanwhile(self: Probing) -> Any:
        LLM.objects.filter(upstream_id=waiting).update(enabled_for_monitoring=False)
        return original(self)

    monkeypatch.setattr(Probing, "run", meanwhile)
    done = work_off(open_round())
    assert (done.status, done.checks.count()) == ("completed", 1)
    assert probed(simulator, waiting) == []


@pytest.mark.django_db(transaction=True)
def test_results_wait_for_a_database_that_is_away(
    make_simulated: AccountMaker, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"{QUICK},seed=81"
    make_simulated(model)
    original, failures = writer.write, iter([OperationalError("database is locked")] * 2)

    def write(works: Sequence[Work]) -> list[Work]:
        for failure in failures:
            raise failure
        return original(works)

    monkeypatch.setattr(writer, "write", write)
    monkeypatch.setattr(desk, "FLUSH_S", 0.01)
    done = work_off(open_round())
    assert (done.status, done.checks.count()) == ("completed", 1)
    assert len(probed(simulator, model)) == 1


def test_an_account_deleted_in_mid_round_stops_its_share_quietly(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_simulated(QUICK)
    original = Probing.run

    def meanwhile(self: Probing) -> Any:
        account.delete()
        return original(self)

    monkeypatch.setattr(Probing, "run", meanwhile)
    opened = open_round()
    work_off(opened)
    tick()
    opened.refresh_from_db()
    assert (opened.status, opened.checks.count()) == ("completed", 0)


def test_what_the_provider_teaches_is_remembered_on_the_account(
    make_simulated: AccountMaker,
) -> None:
    account = make_simulated(f"{QUICK},fail=refuse-stream-options")
    work_off(open_round())
    account.refresh_from_db()
    assert account.quirks == {"stream_options": False}
    assert only_check().status == "up"


def test_models_of_one_account_teach_it_the_same(make_simulated: AccountMaker) -> None:
    refusing = f"{QUICK},fail=refuse-max-tokens"
    account = make_simulated(*[f"{refusing},seed={seed}" for seed in range(2)])
    work_off(open_round())
    account.refresh_from_db()
    assert account.quirks == {"token_param": "max_completion_tokens"}


def test_a_run_started_while_the_broker_is_away_is_found_by_the_tick(
    api: Any, make_simulated: AccountMaker
) -> None:
    make_simulated(QUICK)
    run_id = api.post("/api/v1/monitoring/run").json()["run_id"]
    called = shares.call_out(timezone.now())
    shares.work_on(*called)
    body = api.get(f"/api/v1/monitoring/runs/{run_id}").json()
    assert (body["status"], body["done"], body["up"], body["progress"]) == ("completed", 1, 1, 1.0)
    assert body["finished_at"] == ANY


def test_a_model_that_had_no_turn_is_free_for_the_next_round(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "ASKED_WITHIN", 0.005)
    MonitoringConfig.load().change(timezone.now(), interval_minutes=1, jitter_s=0)
    make_simulated("sim:ttft=1500,gap=1,tokens=5", f"{QUICK},seed=91", concurrency_limit=1)
    (opened,) = rounds.open_due(timezone.now())

    work_off(opened)

    assert [check.llm.upstream_id for check in opened.checks.all()] == [
        "sim:ttft=1500,gap=1,tokens=5"
    ]
    waiting = LLM.objects.get(upstream_id=f"{QUICK},seed=91")
    assert opened.shares.get().left_out == [str(waiting.pk)]
    assert opened.status == "completed"


@pytest.mark.parametrize("crashes", [0, desk.MAX_CRASHES])
def test_a_share_that_is_cancelled_while_it_is_taken_disturbs_no_other(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch, crashes: int
) -> None:
    make_simulated(QUICK)
    opened, take = open_round(), RoundShare.take
    ago = timezone.now() - timedelta(minutes=1)
    opened.shares.update(status="running", lease_expires_at=ago, crashes=crashes)

    def take_too_late(pk: UUID, own: UUID) -> RoundShare | None:
        taken = take(pk, own)
        rounds.cancel(Round.objects.get(), timezone.now())
        return taken

    monkeypatch.setattr(RoundShare, "take", take_too_late)
    assert work_off(opened).status == "cancelled"
    assert not opened.checks.exists()


def test_a_result_that_cannot_be_stored_costs_no_other_account_its_results(
    make_simulated: AccountMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_simulated(QUICK)
    make_simulated(f"{QUICK},seed=2")
    original = checks.check_of

    def broken(round: Round, llm: LLM, probed: Any) -> UptimeCheck:
        if llm.upstream_id == QUICK:
            raise ValueError("no column holds this")
        return original(round, llm, probed)

    monkeypatch.setattr(writer, "check_of", broken)
    opened = work_off(open_round())
    assert [check.llm.upstream_id for check in opened.checks.all()] == [f"{QUICK},seed=2"]
    assert sorted(opened.shares.values_list("status", flat=True)) == ["completed", "running"]
