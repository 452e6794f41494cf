"""Every operation of the schema against odd input: a new one is swept without being named here."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.response import Response
from rest_framework.test import APIClient

from tests.api.hostile import BODIES, ODD_PARAMETERS, ODD_VALUES, is_sentence

pytestmark = pytest.mark.django_db

SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
OPERATIONS = [
    (method, path, operation)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
]
WRITES = [each for each in OPERATIONS if each[0] in ("post", "patch")]
# What stands for an identifier in a path, by the segment before it.
PLACES = {
    "providers": "account",
    "models": "llm",
    "alerts": "alert",
    "rules": "rule",
    "channels": "channel",
    "silences": "silence",
    "schedules": "schedule",
    "prompt-packs": "pack",
    "benchmarks": "run",
    "runs": "round",
}
# Fields that make a request complete, so that the odd one among them is really looked at.
COMPLETE = {
    "provider_type": "lm_studio",
    "display_name": "x",
    "name": "x",
    "model_id": "x",
    "prompt_pack": "reasoning",
    "rule_type": "any_model_down",
    "kind": "webhook",
    "ends_at": "2099-01-01T00:00:00Z",
    "id": "new",
    "prompt": "x",
    "expected_tokens": 3,
}


def name_of(operation: Any) -> str | None:
    return str(operation["operationId"]) if isinstance(operation, dict) else None


def url_of(path: str, places: dict[str, str]) -> str:
    segments = path.split("/")
    for at, segment in enumerate(segments):
        if segment.startswith("{"):
            segments[at] = places.get(PLACES.get(segments[at - 1], ""), str(UUID(int=1)))
    return "/".join(segments)


def fields_of(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    found: dict[str, Any] = SCHEMA["components"]["schemas"].get(name.rpartition("/")[2], {})
    return found


def is_well_answered(answer: Response, operation: dict[str, Any]) -> bool:
    if answer.status_code < 400:
        return str(answer.status_code) in operation["responses"]
    return answer.status_code < 500 and is_sentence(answer)


@pytest.mark.parametrize(("method", "path", "operation"), WRITES, ids=name_of)
def test_a_broken_body_is_never_taken(
    api: APIClient, places: dict[str, str], method: str, path: str, operation: dict[str, Any]
) -> None:
    url = url_of(path, places)
    for kind, body in BODIES.items():
        if kind != "nothing":
            answer = getattr(api, method)(url, body, content_type="application/json")
            assert 400 <= answer.status_code < 500, kind
            assert is_sentence(answer), kind
    form = getattr(api, method)(url, "a=1", content_type="application/x-www-form-urlencoded")
    assert form.status_code in (404, 415)


@pytest.mark.parametrize(("method", "path", "operation"), WRITES, ids=name_of)
def test_an_odd_value_in_any_field_is_answered_well(
    api: APIClient, places: dict[str, str], method: str, path: str, operation: dict[str, Any]
) -> None:
    schema = fields_of(operation)
    known = COMPLETE | {"provider_account_id": places["account"], "model_ids": [places["llm"]]}
    rest = {name: known.get(name, {}) for name in schema.get("required", [])}
    for field in schema.get("properties", {}):
        for value in ODD_VALUES:
            body = json.dumps(rest | {field: value})
            send = getattr(api, method)
            answer = send(url_of(path, places), body, content_type="application/json")
            assert is_well_answered(answer, operation), (field, value, answer.content)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=name_of)
def test_an_odd_query_parameter_is_answered_well(
    api: APIClient, places: dict[str, str], method: str, path: str, operation: dict[str, Any]
) -> None:
    asked = [each for each in operation.get("parameters", []) if each["in"] == "query"]
    good = {"format": "json", "model_id": places["llm"]}
    rest = {each["name"]: good[each["name"]] for each in asked if each.get("required")}
    for name in (each["name"] for each in asked):
        others = [f"{key}={value}" for key, value in rest.items() if key != name]
        for value in ODD_PARAMETERS:
            query = "&".join([*others, f"{name}={value}"])
            answer = getattr(api, method)(f"{url_of(path, places)}?{query}")
            assert is_well_answered(answer, operation), (query[:200], answer.content[:200])


@pytest.mark.parametrize("path", SCHEMA["paths"])
def test_a_method_that_is_not_offered_is_a_405(
    api: APIClient, places: dict[str, str], path: str
) -> None:
    for method in {"get", "post", "put", "patch", "delete"} - set(SCHEMA["paths"][path]):
        answer = getattr(api, method)(url_of(path, places))
        assert answer.status_code == 405
        assert is_sentence(answer)


def test_the_schema_tells_lists_from_objects_and_names_the_error() -> None:
    def answered(path: str) -> dict[str, Any]:
        content = SCHEMA["paths"][path]["get"]["responses"]["200"]["content"]
        found: dict[str, Any] = content["application/json"]["schema"]
        return found

    assert answered("/api/v1/models") == {"$ref": "#/components/schemas/ModelList"}
    assert answered("/api/v1/alerts/rules")["type"] == "array"
    for _, _, operation in OPERATIONS:
        refused = operation["responses"]["4XX"]["content"]["application/json"]
        assert refused["schema"] == {"$ref": "#/components/schemas/Error"}
