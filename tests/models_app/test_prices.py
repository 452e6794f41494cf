from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models_app.models import LLM
from models_app.prices import cost_of
from providers.models import ProviderAccount
from tests import make


def make_llm(provider_type: str, upstream_id: str, **metadata: Any) -> LLM:
    account = ProviderAccount(provider_type=provider_type)
    return LLM(account=account, upstream_id=upstream_id, metadata=metadata)


def make_figures(
    given: int | None = 1000, output: int | None = 10, cached: int | None = None
) -> Any:
    return {"input_tokens": given, "output_tokens": output, "cached_tokens": cached}


def test_a_price_list_is_by_token_class() -> None:
    llm = make_llm("openai", "gpt-4o")

    assert cost_of(llm, make_figures()) == Decimal("0.0026")
    assert cost_of(llm, make_figures(cached=400)) == Decimal("0.0021")


@pytest.mark.parametrize(
    ("provider_type", "upstream_id"),
    [
        ("google_vertex", "google/gemini-2.5-flash"),
        ("google_vertex", "claude-sonnet-4-5@20250929"),
        ("google_ai_studio", "gemini-2.5-flash"),
        ("aws_bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("aws_bedrock", "openai.gpt-oss-20b-1:0"),
        ("azure_ai", "claude-haiku-4-5"),
        ("text-completion-openai", "gpt-3.5-turbo-instruct"),
        ("cohere_chat", "command-r-08-2024"),
    ],
)
def test_clouds_find_the_prices_of_their_models(provider_type: str, upstream_id: str) -> None:
    cost = cost_of(make_llm(provider_type, upstream_id), make_figures())

    assert cost is not None
    assert cost > 0


@pytest.mark.parametrize(
    ("provider_type", "upstream_id", "figures"),
    [
        ("openai", "gpt-4o", make_figures(given=None)),
        ("openai", "gpt-4o", make_figures(output=None)),
        ("openai", "no-such-model", make_figures()),
        ("ollama", "gpt-4o", make_figures()),
        ("azure", "ada", make_figures()),
        ("text-completion-openai", "gpt-3.5-turbo-instruct", make_figures(cached=400)),
    ],
    ids=["no input", "no output", "no model", "no list", "no output price", "no cached price"],
)
def test_a_cost_is_unknown_when_any_part_of_it_is(
    provider_type: str, upstream_id: str, figures: Any
) -> None:
    assert cost_of(make_llm(provider_type, upstream_id), figures) is None


def test_own_prices_go_before_the_list() -> None:
    own = {"input_price_per_1m": 10, "output_price_per_1m": "1000"}
    llm = make_llm("openai", "gpt-4o", **own)
    cheaper = make_llm("ollama", "x", **own, cached_input_price_per_1m=1)

    assert cost_of(llm, make_figures(cached=400)) == Decimal("0.02")
    assert cost_of(cheaper, make_figures(cached=400)) == Decimal("0.0164")


@pytest.mark.parametrize(
    "price", [None, "dear", -1, True, "NaN", float("inf"), 1e12, 1e300, "1e999999"]
)
def test_a_price_that_is_none_does_not_count(price: Any) -> None:
    llm = make_llm("ollama", "x", input_price_per_1m=price, output_price_per_1m=1)

    assert cost_of(llm, make_figures()) is None


@pytest.mark.parametrize("tokens", [10**6, 2 * 10**9])
@pytest.mark.django_db
def test_a_cost_is_one_that_can_be_stored_and_read_again(tokens: int) -> None:
    own = {"input_price_per_1m": 999_999, "output_price_per_1m": "1e-999999"}
    llm = make.make_llm(metadata=own)
    cost = cost_of(llm, make_figures(tokens, tokens))
    check = make.make_check(llm, estimated_cost=cost)
    check.refresh_from_db()

    assert check.estimated_cost == cost
    assert cost == (Decimal(999_999) if tokens == 10**6 else None)
