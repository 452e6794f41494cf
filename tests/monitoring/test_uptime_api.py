from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from monitoring import exports
from monitoring.exports import COLUMNS
from monitoring.models import Recount, UptimeCheck
from monitoring.rollups import roll_up_waiting
from tests.make import make_account, make_check, make_llm, make_round

pytestmark = pytest.mark.django_db
URL, EXPORT = "/api/v1/monitoring/uptime", "/api/v1/monitoring/uptime/export"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
BAD_QUERIES = [
    "model_id=17",
    "status=broken",
    "status=",
    "since=yesterday",
    "since=2026-13-01",
    "limit=0",
    "limit=10001",
    "limit=ten",
    "offset=-1",
    "offset=99999999999999999999",
    "enabled_only=perhaps",
]


def make_history() -> list[UptimeCheck]:
    llm = make_llm()
    return [
        make_check(llm, status=status, created_at=NOON + timedelta(hours=hour))
        for hour, status in enumerate(("up", "down", "degraded"))
    ]


def test_a_check_is_shown_with_all_its_figures(api: APIClient) -> None:
    account = make_account(provider_type="lm_studio", credentials={})
    llm = make_llm(account, "llama-3", custom_name="Llama")
    check = make_check(
        llm,
        status="degraded",
        created_at=NOON,
        ttft_ms=120.5,
        total_latency_ms=900.25,
        tps=33.0,
        output_tokens=30,
        estimated_cost=Decimal("0.0000125"),
        quality_flags=["retried"],
        error="Answered only at attempt 2.",
        error_class="server_error",
        attempts=[{"ok": False}, {"ok": True}],
    )
    assert api.get(URL).json()["items"] == [
        {
            "id": str(check.pk),
            "model_id": str(llm.pk),
            "model_name": "Llama",
            "provider_type": "lm_studio",
            "run_id": str(check.round_id),
            "status": "degraded",
            "error": "Answered only at attempt 2.",
            "error_class": "server_error",
            "counts_for_uptime": True,
            "latency_ms": 900.25,
            "ttft_ms": 120.5,
            "ttfa_ms": None,
            "tps": 33.0,
            "tps_excluding_ttft": None,
            "tpot_ms": None,
            "queue_wait_ms": None,
            "connect_ms": None,
            "response_ms": None,
            "input_tokens": None,
            "output_tokens": 30,
            "cached_tokens": None,
            "reasoning_tokens": None,
            "token_source": None,
            "quality_flags": ["retried"],
            "uncertainty_ms": None,
            "estimated_cost": 0.0000125,
            "attempts": [{"ok": False}, {"ok": True}],
            "prompt_pack": "health_check",
            "created_at": "2026-05-04T12:00:00Z",
        }
    ]


def test_checks_come_newest_first_in_pages(api: APIClient) -> None:
    history = make_history()
    body = api.get(f"{URL}?limit=2&offset=1").json()
    assert [item["id"] for item in body["items"]] == [str(history[1].pk), str(history[0].pk)]
    assert (body["total"], body["limit"], body["offset"]) == (3, 2, 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3),
        ("status=down", 1),
        ("since=2026-05-04T13:00:00Z", 2),
        ("since=2026-05-04T15:00:00+02:00", 2),
        ("since=2026-05-05", 0),
        ("enabled_only=true", 0),
        ("enabled_only=false", 3),
        ("offset=50", 0),
    ],
)
def test_checks_are_found_by(api: APIClient, query: str, found: int) -> None:
    make_history()
    answer = api.get(f"{URL}?{query}")
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == found


def test_checks_of_one_model_are_found_by_its_id(api: APIClient) -> None:
    make_history()
    wanted = make_check(make_llm(enabled_for_monitoring=True))
    body = api.get(f"{URL}?model_id={wanted.llm_id}").json()
    assert [item["id"] for item in body["items"]] == [str(wanted.pk)]
    assert api.get(f"{URL}?enabled_only=1").json()["items"] == body["items"]


def test_an_unknown_model_has_no_checks(api: APIClient) -> None:
    make_history()
    body = api.get(f"{URL}?model_id={uuid4()}").json()
    assert body == {"items": [], "total": 0, "limit": 100, "offset": 0}


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_a_bad_query_is_answered_with_a_sentence(api: APIClient, query: str) -> None:
    answer = api.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_the_list_takes_eight_queries_however_long_it_is(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    shared = make_round()
    for _ in range(7):
        make_check(make_llm(), shared)
    with django_assert_num_queries(8):
        assert len(api.get(URL).json()["items"]) == 7


def export(api: APIClient, query: str) -> str:
    answer = api.get(f"{EXPORT}?{query}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_json_export_holds_every_check(api: APIClient) -> None:
    history = make_history()
    checks = json.loads(export(api, "format=json"))["checks"]
    assert [row["id"] for row in checks] == [str(check.pk) for check in reversed(history)]
    assert set(checks[0]) == set(COLUMNS)
    assert checks[0]["timestamp"] == "2026-05-04T14:00:00.000000+00:00"
    assert (checks[0]["provider"], checks[0]["latency_ms"]) == ("openai", None)


def test_the_csv_export_begins_with_the_columns_of_the_published_server(api: APIClient) -> None:
    make_history()
    head = export(api, "format=csv").splitlines()[0]
    assert head.startswith("model_name,provider,status,latency_ms,error,timestamp,ttft_ms,")


def test_both_exports_tell_the_same(api: APIClient) -> None:
    make_check(make_llm(custom_name="Llama"), ttft_ms=0.5, estimated_cost=Decimal("0.00001"))
    row = csv_rows(export(api, "format=csv"))[0]
    told = json.loads(export(api, "format=json"))["checks"][0]
    assert row == {name: "" if told[name] is None else str(told[name]) for name in COLUMNS}


@pytest.mark.parametrize("microsecond", [0, 1, 500_000, 999_999])
def test_moments_of_an_export_all_have_one_form(api: APIClient, microsecond: int) -> None:
    make_check(created_at=NOON.replace(microsecond=microsecond))
    moment = f"2026-05-04T12:00:00.{microsecond:06}+00:00"
    assert csv_rows(export(api, "format=csv"))[0]["timestamp"] == moment
    assert json.loads(export(api, "format=json"))["checks"][0]["timestamp"] == moment


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite keeps moments as texts")
@pytest.mark.parametrize("fraction", ["", ".25", ".000"])
def test_a_moment_that_was_written_in_another_precision_is_exported(
    api: APIClient, fraction: str
) -> None:
    make_check()
    with connection.cursor() as cursor:
        moment = f"2026-05-04 12:00:00{fraction}"
        cursor.execute("UPDATE monitoring_uptimecheck SET created_at = %s", [moment])
    told = csv_rows(export(api, "format=csv"))[0]["timestamp"]
    assert told == f"2026-05-04T12:00:00.{fraction[1:]:0<6}+00:00"


def test_an_export_tells_what_the_list_tells(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BLOCK", 2)
    figures: dict[str, Any] = {
        "ttft_ms": 1 / 3,
        "tps": 1e-7,
        "input_tokens": 0,
        "token_source": "usage",
    }
    for place, error in enumerate(('Straße\u2028, "so"\n😀', "", None)):
        at = NOON.replace(microsecond=place * 100_000)
        cost = Decimal("0.0000000001") * place
        make_check(created_at=at, error=error, estimated_cost=cost, status="down", **figures)
    make_check(created_at=NOON, counts_for_uptime=False)
    renamed = {"provider": "provider_type", "timestamp": "created_at"}
    listed = api.get(URL).json()["items"]
    told = json.loads(export(api, "format=json"))["checks"]
    assert len(told) == len(listed) == 4
    for row, shown in zip(told, listed, strict=True):
        at = datetime.fromisoformat(row.pop("timestamp"))
        assert at == datetime.fromisoformat(shown["created_at"])
        assert row == {name: shown[renamed.get(name, name)] for name in row}


def test_cells_that_a_spreadsheet_would_evaluate_are_escaped(api: APIClient) -> None:
    make_check(make_llm(custom_name="=HYPERLINK(1)"), error="@SUM(A1)")
    row = csv_rows(export(api, "format=csv"))[0]
    assert (row["model_name"], row["error"]) == ("'=HYPERLINK(1)", "'@SUM(A1)")


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_an_export_is_a_file(api: APIClient, kind: str) -> None:
    answer = api.get(f"{EXPORT}?format={kind}")
    assert answer["Content-Disposition"] == f'attachment; filename="uptime_history.{kind}"'


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("start_date=2026-05-04T13:00:00Z", 2),
        ("end_date=2026-05-04T13:00:00Z", 2),
        ("start_date=2026-05-04T13:00:00Z&end_date=2026-05-04T13:00:00Z", 1),
        ("start_date=2026-05-04&end_date=2026-05-04", 3),
        ("end_date=2026-05-03", 0),
        ("end_date=9999-12-31", 3),
    ],
)
def test_an_export_keeps_to_its_dates(api: APIClient, query: str, found: int) -> None:
    make_history()
    assert len(csv_rows(export(api, f"format=csv&{query}"))) == found


def test_an_export_of_one_model_holds_only_its_checks(api: APIClient) -> None:
    make_history()
    wanted = make_check()
    checks = json.loads(export(api, f"format=json&model_id={wanted.llm_id}"))["checks"]
    assert [row["model_id"] for row in checks] == [str(wanted.llm_id)]


def test_an_export_of_nothing_is_a_whole_document(api: APIClient) -> None:
    assert json.loads(export(api, "format=json")) == {"checks": []}
    assert csv_rows(export(api, "format=csv")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "format"),
        ("format=xml", "format"),
        ("format=csv&start_date=2026-05-05&end_date=2026-05-04", "start_date"),
        ("format=csv&start_date=soon", "start_date"),
        ("format=csv&model_id=17", "model_id"),
    ],
)
def test_a_bad_export_is_answered_with_a_sentence(api: APIClient, query: str, field: str) -> None:
    answer: Any = api.get(f"{EXPORT}?{query}")
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_an_export_reads_the_checks_once(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    shared = make_round()
    for _ in range(5):
        make_check(make_llm(), shared)
    with django_assert_num_queries(3):
        assert len(csv_rows(export(api, "format=csv"))) == 5


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_an_export_goes_out_chunk_by_chunk(
    async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BLOCK", 2)
    await sync_to_async(make_history)()
    answer: Any = await async_client.get(f"{EXPORT}?format=csv", HTTP_HOST="localhost")
    chunks = [chunk async for chunk in answer]
    await sync_to_async(answer.close)()
    assert len(chunks) == 3
    assert len(csv_rows(b"".join(chunks).decode())) == 3


def test_models_of_a_disabled_account_are_not_monitored_now(api: APIClient) -> None:
    watched = make_check(make_llm(enabled_for_monitoring=True))
    make_check(make_llm(make_account(enabled=False), enabled_for_monitoring=True))
    body = api.get(f"{URL}?enabled_only=true").json()
    assert ([row["id"] for row in body["items"]], body["total"]) == ([str(watched.pk)], 1)
    roll_up_waiting()
    for _ in range(2):
        assert api.get(f"{URL}?enabled_only=true").json()["total"] == 1
        Recount.objects.create()
