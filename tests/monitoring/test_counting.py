from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_app.models import LLM
from monitoring import counting, totals
from monitoring.counting import EPOCH, FAR, Matching
from monitoring.models import (
    CheckRollup,
    CheckTotal,
    Recount,
    UptimeCheck,
    UptimeCheckQuerySet,
)
from monitoring.rollups import roll_up_waiting
from monitoring.tails import Tail
from tests.make import make_llm
from tests.monitoring.history import make_history, make_past_round

pytestmark = pytest.mark.django_db
START = datetime(2026, 5, 4, 21, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def llms(db: None, monkeypatch: pytest.MonkeyPatch) -> list[LLM]:
    """Three days of history; what is newest is not folded yet."""
    monkeypatch.setattr(counting, "DEEP", 5)
    models = [make_llm(enabled_for_monitoring=number > 0) for number in range(3)]
    make_history(models, START, 75, 50 * MINUTE)
    roll_up_waiting(60)
    make_past_round(models, START + 75 * 50 * MINUTE)
    make_past_round(models, START + 40 * 50 * MINUTE + timedelta(seconds=1))
    return models


def expected(matching: Matching) -> list[UptimeCheck]:
    return list(matching.rows())


moments = st.one_of(
    st.just(EPOCH),
    st.just(FAR),
    st.timedeltas(timedelta(hours=-2), timedelta(hours=70)).map(lambda gap: START + gap),
    st.integers(-2, 70).map(lambda hours: START.replace(minute=0) + timedelta(hours=hours)),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    has_totals=st.booleans(),
    start=moments,
    end=moments,
    llm=st.sampled_from([None, 0, 2]),
    status=st.sampled_from([None, "up", "down"]),
    enabled_only=st.booleans(),
    offset=st.integers(0, 240),
)
def test_every_page_and_total_is_that_of_a_plain_count(
    llms: list[LLM],
    has_totals: bool,
    start: datetime,
    end: datetime,
    llm: int | None,
    status: str | None,
    enabled_only: bool,
    offset: int,
) -> None:
    llm_id = None if llm is None else llms[llm].pk
    matching = Matching(llm_id, status, enabled_only, start, end)
    Recount.objects.all().delete()
    if not has_totals:
        Recount.objects.create()
    rows, total = matching.page(4, offset)
    plain = expected(matching)
    assert total == len(plain)
    assert list(rows) == plain[offset : offset + 4]


def total_of(matching: Matching) -> int:
    return matching.page(1, 0)[1]


def test_the_checks_of_a_deleted_model_are_in_no_total(llms: list[LLM]) -> None:
    totals.recount()
    llms[1].delete()
    assert total_of(Matching()) == 77 * 2
    assert totals.recount()
    assert total_of(Matching()) == UptimeCheck.objects.count() == 77 * 2
    assert not totals.recount()


def test_totals_made_anew_are_those_that_folding_has_made(llms: list[LLM]) -> None:
    columns = ("span", "start", "up", "degraded", "down")
    kept = set(CheckTotal.objects.values_list(*columns))
    Recount.objects.create()
    assert totals.recount()
    assert set(CheckTotal.objects.values_list(*columns)) == kept


def test_a_total_of_everything_reads_no_rollup_of_single_models(llms: list[LLM]) -> None:
    Recount.objects.all().delete()
    CheckRollup.objects.all().delete()
    assert total_of(Matching()) == 77 * 3


@pytest.mark.parametrize("named", [0, 1, 500])
def test_the_total_of_watched_models_is_theirs_however_many_are_named(
    llms: list[LLM], named: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recount.objects.all().delete()
    monkeypatch.setattr(counting, "NAMED", named)
    matching = Matching(enabled_only=True)
    assert total_of(matching) == len(expected(matching)) == 77 * 2


def test_a_fold_in_the_middle_of_a_count_is_noticed(
    llms: list[LLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, folds = Matching._recent, iter([roll_up_waiting])

    def recent(self: Matching, tail: Tail) -> UptimeCheckQuerySet:
        for fold in folds:
            fold(60)
        return original(self, tail)

    monkeypatch.setattr(Matching, "_recent", recent)
    assert total_of(Matching()) == 77 * 3


def test_a_page_beyond_the_end_is_empty(llms: list[LLM]) -> None:
    rows, total = Matching().page(10, 10_000)
    assert (list(rows), total) == ([], 77 * 3)
