from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from arguslm.api.exports import cell, csv_lines, json_document


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "=HYPERLINK('http://x')",
        "\uff1d1+1",
        "\tx",
    ],
)
def test_a_text_that_a_spreadsheet_would_evaluate_is_made_text(text: str) -> None:
    assert cell(text) == "'" + text


@pytest.mark.parametrize("value", [-1.5, 3, "gpt-4o", "a=b", "", Decimal("-0.5"), False])
def test_numbers_and_harmless_texts_stay_as_they_are(value: object) -> None:
    assert cell(value) == value


def test_unknown_is_an_empty_cell() -> None:
    assert cell(None) == ""


def test_a_table_reads_back_as_it_was_with_quotes_and_line_ends() -> None:
    rows: list[dict[str, Any]] = [{"a": 'say "hi"', "b": "two\nlines"}, {"a": "x,y", "b": None}]
    text = "".join(csv_lines(["a", "b"], rows))
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == [
        {"a": 'say "hi"', "b": "two\nlines"},
        {"a": "x,y", "b": ""},
    ]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_document_is_valid_json_whatever_its_length(count: int) -> None:
    rows = [{"n": number, "cost": Decimal("0.1")} for number in range(count)]
    document = json.loads("".join(json_document({"run": "x"}, "results", rows)))
    assert document["run"] == "x"
    assert [row["n"] for row in document["results"]] == list(range(count))


def test_a_document_without_a_head_is_valid_json() -> None:
    assert json.loads("".join(json_document({}, "checks", [{"a": 1}]))) == {"checks": [{"a": 1}]}
