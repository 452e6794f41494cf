from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from models_app.models import OwnPromptPack
from models_app.packs import all_packs, pack_of, synthetic_prompt
from models_app.prompts import PROMPT_PACKS
from monitoring.models import MonitoringConfig
from providers.tokens import estimate_tokens

pytestmark = pytest.mark.django_db
URL = "/api/v1/monitoring/prompt-packs"
PACK = {"id": "haiku", "name": "Haiku", "prompt": "Write a haiku.", "expected_tokens": 25}


def make_pack(**fields: Any) -> OwnPromptPack:
    return OwnPromptPack.objects.create(**{**PACK, **fields})


def import_lines(api: APIClient, *lines: Any) -> Any:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return api.post(f"{URL}/import", text, content_type="application/x-ndjson")


def test_a_pack_of_ones_own_is_listed_after_the_built_in_ones(api: APIClient) -> None:
    answer = api.post(URL, PACK, format="json")

    assert (answer.status_code, answer.json()) == (201, {**PACK, "built_in": False})
    assert [pack["id"] for pack in api.get(URL).json()] == [*PROMPT_PACKS, "haiku"]
    assert api.get(f"{URL}/haiku").json() == {**PACK, "built_in": False}


def test_an_own_pack_is_changed_and_deleted(api: APIClient) -> None:
    make_pack()

    changed = api.patch(f"{URL}/haiku", {"prompt": "Write two."}, format="json")

    assert changed.json() == {**PACK, "prompt": "Write two.", "built_in": False}
    assert api.delete(f"{URL}/haiku").status_code == 204
    assert pack_of("haiku") is None


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_built_in_pack_stays_as_it_is(api: APIClient, method: str) -> None:
    answer = getattr(api, method)(f"{URL}/reasoning", {"name": "x"}, format="json")

    assert answer.status_code == 409
    assert pack_of("reasoning") == PROMPT_PACKS["reasoning"]


def test_the_pack_of_the_monitoring_cannot_be_deleted(api: APIClient) -> None:
    make_pack()
    assert api.patch("/api/v1/monitoring/config", {"prompt_pack": "haiku"}, format="json").json()[
        "prompt_pack"
    ] == ("haiku")

    assert api.delete(f"{URL}/haiku").status_code == 409
    assert MonitoringConfig.load().prompt_pack == "haiku"


def test_a_second_pack_of_the_same_id_is_refused(api: APIClient) -> None:
    make_pack()

    answer = api.post(URL, PACK, format="json")

    assert answer.json()["errors"] == {"id": ["There is such a pack already."]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Haiku"),
        ("id", "reasoning"),
        ("id", "a/b"),
        ("id", "-a"),
        ("id", "a" * 65),
        ("id", 5),
        ("name", ""),
        ("name", "n" * 256),
        ("prompt", ""),
        ("prompt", None),
        ("prompt", "p" * 200_001),
        ("expected_tokens", 0),
        ("expected_tokens", "5"),
        ("expected_tokens", 10**30),
        ("synthetic", {"input_tokens": 100, "output_tokens": 100}),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_refused_by_name(api: APIClient, field: str, value: Any) -> None:
    answer = api.post(URL, {**PACK, field: value}, format="json")

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) <= {field, "prompt"}
    assert not OwnPromptPack.objects.exists()


@pytest.mark.parametrize(("input_tokens", "output_tokens"), [(64, 16), (1000, 200), (8000, 4096)])
def test_a_synthetic_pack_has_the_length_that_was_asked_for(
    api: APIClient, input_tokens: int, output_tokens: int
) -> None:
    lengths = {"input_tokens": input_tokens, "output_tokens": output_tokens}

    body = api.post(URL, {"id": "long", "synthetic": lengths}, format="json").json()

    assert body["expected_tokens"] == output_tokens
    assert body["name"] == "long"
    assert estimate_tokens(body["prompt"]) == pytest.approx(input_tokens, abs=4)
    assert body["prompt"] == synthetic_prompt("long", input_tokens, output_tokens)


def test_a_synthetic_pack_has_a_token_for_every_word(api: APIClient) -> None:
    # A tokenizer of today takes a common short word and the blank before it for one token.
    prompt = synthetic_prompt("long", 5000, 200)

    words = prompt.partition("\n\n")[2].split(" ")

    assert {len(word) for word in words} == {3}
    assert len(words) == pytest.approx(5000, abs=50)


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/jsonl"])
def test_json_lines_have_two_names(api: APIClient, media_type: str) -> None:
    answer = api.post(f"{URL}/import", json.dumps(PACK), content_type=media_type)

    assert answer.json() == {"created": 1, "updated": 0}


def test_packs_are_imported_line_by_line_new_ones_and_known_ones(api: APIClient) -> None:
    make_pack(prompt="An old one.")

    answer = import_lines(api, PACK, "", {**PACK, "id": "second"})

    assert answer.json() == {"created": 1, "updated": 1}
    assert [pack.id for pack in all_packs()][-2:] == ["haiku", "second"]
    assert OwnPromptPack.objects.get(pk="haiku").prompt == PACK["prompt"]


def test_an_imported_file_may_begin_with_a_byte_order_mark(api: APIClient) -> None:
    assert import_lines(api, "\ufeff" + json.dumps(PACK)).json() == {"created": 1, "updated": 0}


@pytest.mark.parametrize(
    "lines",
    [
        ['{"id": '],
        [],
        [PACK, {**PACK, "id": "UPPER"}],
        [PACK, PACK],
        [PACK, 5],
        [PACK, {**PACK, "id": "b", "extra": 1}],
        [{**PACK, "id": f"p{n}"} for n in range(1_001)],
    ],
    ids=["broken", "nothing", "bad id", "twice", "a number", "unknown field", "too many"],
)
def test_an_import_with_a_fault_stores_nothing(api: APIClient, lines: list[Any]) -> None:
    answer = import_lines(api, *lines)

    assert answer.status_code == 400
    assert len(answer.json()["detail"]) > 10
    assert not OwnPromptPack.objects.exists()


def test_a_fault_in_an_import_is_named_by_its_line(api: APIClient) -> None:
    errors = import_lines(api, PACK, {**PACK, "id": "b", "name": 5}).json()["errors"]

    assert list(errors) == ["line 2.name"]


def test_packs_are_imported_as_a_json_list_too(api: APIClient) -> None:
    assert api.post(f"{URL}/import", [PACK], format="json").json() == {"created": 1, "updated": 0}
