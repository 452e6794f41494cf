from __future__ import annotations

import pytest
from rest_framework.test import APIClient

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/", "ok"),
        ("/api/v1", "ok"),
        ("/api/v1/", "ok"),
        ("/health", "healthy"),
        ("/api/v1/health", "healthy"),
    ],
)
def test_it_says_that_it_is_there(api: APIClient, url: str, status: str) -> None:
    answer = api.get(url)
    assert (answer.status_code, answer.json()) == (200, {"status": status})


def test_a_browser_at_the_root_is_led_to_the_operator_pages(api: APIClient) -> None:
    answer = api.get("/", headers={"Accept": BROWSER})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/overview"


@pytest.mark.django_db
@pytest.mark.parametrize("accept", [BROWSER, "text/csv", "application/xml", "*/*", "nonsense"])
def test_every_client_is_answered_in_json(api: APIClient, accept: str) -> None:
    answer = api.get("/api/v1/providers", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.json() == {"providers": [], "total": 0}


def test_the_documentation_needs_nothing_from_elsewhere(api: APIClient) -> None:
    page = api.get("/docs").content.decode()
    assert "swagger-ui" in page
    assert "//cdn" not in page
    assert "https://" not in page
    schema = api.get("/openapi.json")
    assert schema.json()["openapi"].startswith("3.")
    assert "/api/v1/benchmarks/{id}" in schema.json()["paths"]
