"""What an owner may say about a model: limits, expected text; and what its provider says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from models_app.models import LLM
from monitoring import rounds, shares
from monitoring.canaries import with_canary
from monitoring.identities import Sighting, note
from monitoring.models import MonitoringConfig, ReportedModel, UptimeCheck
from monitoring.signals import checks_recorded
from providers.errors import ErrorClass, Failure
from providers.measurement import Outcome, wall_clock
from tests.make import make_llm
from tests.monitoring.conftest import AccountMaker

pytestmark = pytest.mark.django_db
QUICK = "sim:ttft=5,gap=1,tokens=5"


def checked() -> UptimeCheck:
    opened, _ = rounds.open_manual(timezone.now())
    shares.work_on(*opened.shares.values_list("pk", flat=True))
    return UptimeCheck.objects.get()


def make_answer(text: str = "", model: str | None = None, fingerprint: str = "") -> Outcome:
    return Outcome(wall_clock(), text=text, model_reported=model, fingerprint=fingerprint or None)


@pytest.mark.parametrize("limit", ["ttft_limit_ms", "latency_limit_ms"])
def test_a_model_that_breaks_its_own_limit_is_degraded(
    limit: str, make_simulated: AccountMaker
) -> None:
    account = make_simulated("sim:ttft=40,gap=1,tokens=5")
    account.llms.update(**{limit: 20.0})
    check = checked()
    assert (check.status, check.error_class, check.counts_for_uptime) == ("degraded", None, True)
    assert "is above the limit of 20 ms" in (check.error or "")
    assert check.ttft_ms is not None


def test_an_answer_without_the_expected_text_is_degraded(make_simulated: AccountMaker) -> None:
    make_simulated(QUICK).llms.update(expected_text="the number twenty")
    check = checked()
    assert (check.status, check.error_class) == ("degraded", "assertion")
    assert check.error == 'The answer does not contain the expected text "the number twenty".'


def test_the_text_expected_by_the_pack_holds_where_the_model_has_none_of_its_own(
    make_simulated: AccountMaker,
) -> None:
    MonitoringConfig.load().change(timezone.now(), canaries={"health_check": "never said"})
    make_simulated(QUICK)
    assert checked().error_class == "assertion"


@pytest.mark.parametrize(
    ("text", "expected", "is_fine"),
    [
        ("1\n2\n3 END", "2 3 end", True),
        ("1 2 3", "4", False),
        ("anything", None, True),
        ("anything", "", True),
        ("Straße", "STRASSE", True),
    ],
)
def test_case_and_white_space_do_not_matter(text: str, expected: str | None, is_fine: bool) -> None:
    failure = with_canary(make_answer(text), expected).failure
    assert (failure is None) == is_fine
    assert failure is None or failure.error_class is ErrorClass.ASSERTION


def changes(llm: LLM, *answers: Outcome) -> list[str]:
    """What came unexpectedly with each answer, and in place of what."""
    current: dict[Any, ReportedModel] = {}
    found = []
    for answer in answers:
        note([Sighting(llm, answer, current)])
        row = llm.reported_models.get(is_current=True)
        found += [f"{row.replaced} > {row}"] if row.changed_at == answer.started_at else []
    return found


def test_another_model_name_is_a_change_each_time() -> None:
    llm = make_llm()
    answers = [make_answer(model=name) for name in ("m-1", "m-1", "m-2", "m-1")]
    assert changes(llm, *answers) == ["m-1 > m-2", "m-2 > m-1"]
    assert llm.reported_models.get(is_current=True).model_reported == "m-1"
    assert llm.reported_models.count() == 2


def test_a_fingerprint_that_comes_back_is_no_change() -> None:
    answers = [make_answer(model="m", fingerprint=fingerprint) for fingerprint in "ababa"]
    assert changes(make_llm(), *answers) == ["m a > m b"]


def test_many_models_seen_for_the_first_time_cost_as_many_questions_as_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    current: dict[Any, ReportedModel] = {}
    seen = [Sighting(make_llm(), make_answer(model=f"m-{n}"), current) for n in range(7)]
    # With the two that open and end a savepoint.
    with django_assert_num_queries(4):
        note(seen)
    with django_assert_num_queries(0):
        note(seen)
    assert ReportedModel.objects.filter(is_current=True).count() == len(current) == 7


def test_a_model_deleted_meanwhile_is_not_remembered() -> None:
    gone, kept = make_llm(), make_llm()
    current: dict[Any, ReportedModel] = {}
    seen = [Sighting(llm, make_answer(model="m"), current) for llm in (gone, kept)]
    LLM.objects.filter(pk=gone.pk).delete()
    note(seen)
    assert [row.llm_id for row in ReportedModel.objects.all()] == [kept.pk]


def test_a_process_that_knows_an_older_name_breaks_nothing() -> None:
    llm, stale = make_llm(), dict[Any, ReportedModel]()
    note([Sighting(llm, make_answer(model="m-1"), stale)])
    note([Sighting(llm, make_answer(model="m-2"), dict(stale))])
    note([Sighting(llm, make_answer(model="m-3"), stale)])
    assert llm.reported_models.get(is_current=True).model_reported == "m-3"


def test_a_model_that_answers_wrongly_because_it_is_another_is_noticed() -> None:
    wrong = with_canary(make_answer("3", model="m-2"), "4")
    assert not wrong.ok
    assert changes(make_llm(), make_answer("4", model="m-1"), wrong) == ["m-1 > m-2"]


def test_an_error_of_a_gateway_names_no_model() -> None:
    broken = replace(make_answer(model="gateway"), failure=Failure(ErrorClass.TRUNCATED, "Cut."))
    llm = make_llm()
    note([Sighting(llm, broken, {})])
    assert not llm.reported_models.exists()


def test_a_change_that_two_shares_see_is_one_change() -> None:
    llm, one = make_llm(), dict[Any, ReportedModel]()
    note([Sighting(llm, make_answer(model="m-1"), one)])
    other, first = dict(one), make_answer(model="m-2")
    note([Sighting(llm, first, one)])
    note([Sighting(llm, make_answer(model="m-2"), other)])
    row = llm.reported_models.get(is_current=True)
    assert (row.changed_at, row.current_since) == (first.started_at, first.started_at)
    assert other[llm.pk] == row


def test_a_round_remembers_what_the_provider_answers_with(make_simulated: AccountMaker) -> None:
    make_simulated(QUICK)
    checked()
    reported = ReportedModel.objects.get()
    assert reported.model_reported == QUICK
    assert reported.is_current


def test_stored_checks_are_told_of_before_the_round_ends(make_simulated: AccountMaker) -> None:
    heard: list[UptimeCheck] = []

    def listen(checks: list[UptimeCheck], **kwargs: Any) -> None:
        heard.extend(checks)

    make_simulated(QUICK)
    checks_recorded.connect(listen)
    try:
        check = checked()
    finally:
        checks_recorded.disconnect(listen)
    assert [(row.llm_id, row.status) for row in heard] == [(check.llm_id, "up")]
