from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_app.models import LLM
from monitoring import counting
from monitoring.counting import EPOCH, FAR, Matching
from monitoring.models import UptimeCheck
from monitoring.rollups import roll_up_waiting
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
    start=moments,
    end=moments,
    llm=st.sampled_from([None, 0, 2]),
    status=st.sampled_from([None, "up", "down"]),
    enabled_only=st.booleans(),
    offset=st.integers(0, 240),
)
def test_every_page_and_total_is_that_of_a_plain_count(
    llms: list[LLM],
    start: datetime,
    end: datetime,
    llm: int | None,
    status: str | None,
    enabled_only: bool,
    offset: int,
) -> None:
    llm_id = None if llm is None else llms[llm].pk
    matching = Matching(llm_id, status, enabled_only, start, end)
    rows, total = matching.page(4, offset)
    plain = expected(matching)
    assert total == len(plain)
    assert list(rows) == plain[offset : offset + 4]


def test_a_page_beyond_the_end_is_empty(llms: list[LLM]) -> None:
    rows, total = Matching().page(10, 10_000)
    assert (list(rows), total) == ([], 77 * 3)
