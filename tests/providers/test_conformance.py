"""Every provider that calls itself tested, over real sockets and the real SDK."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.adapters import ChatRequest, exchange, list_models
from providers.catalog import TESTED
from providers.endpoints import resolve
from providers.errors import ErrorClass, ExchangeFailed
from providers.measurement import Outcome
from tests.providers.vendor_cases import (
    CASES,
    KEY,
    MODEL,
    NO_MAX_TOKENS,
    PLAIN,
    Case,
    unknown_field,
)
from tests.providers.vendor_server import DONE, Asked, Refusal, Vendor, vendor_at_work

REQUEST = ChatRequest(model=MODEL, prompt="Hi", max_tokens=32)
every_case = pytest.mark.parametrize("provider_type", CASES)
AUTH_HEADERS = {"authorization", "api-key", "x-api-key"}
SDK_VARIABLES = (
    *("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    *("OPENAI_BASE_URL", "OPENAI_CUSTOM_HEADERS", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    *("ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS"),
)
OWN_HEADERS = {"openai-organization", "openai-project"}


def make_vendor(case: Case) -> Vendor:
    return Vendor(case.stream, case.models, case.refusals)


async def ask(
    provider_type: str, vendor: Vendor, credentials: dict[str, Any] | None = None
) -> Outcome:
    case = CASES[provider_type]
    given = case.credentials if credentials is None else credentials
    request = replace(REQUEST, model=case.model)
    async with vendor_at_work(vendor) as clients:
        return await exchange(resolve(provider_type, given), request, clients=clients)


async def names_of(provider_type: str, vendor: Vendor, credentials: dict[str, Any]) -> list[str]:
    async with vendor_at_work(vendor) as clients:
        found = await list_models(resolve(provider_type, credentials), clients=clients)
    return [model.upstream_id for model in found]


def identity_of(asked: Asked) -> dict[str, str]:
    """The headers that say who asks."""
    return {k: v for k, v in asked.headers.items() if k in AUTH_HEADERS | OWN_HEADERS}


def test_the_tested_providers_are_exactly_those_of_this_suite() -> None:
    assert set(CASES) == TESTED


@every_case
async def test_the_request_is_the_one_the_vendor_documents(
    provider_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SDK_VARIABLES:
        monkeypatch.setenv(name, "X-Leak: from-the-environment")
    case = CASES[provider_type]
    vendor = make_vendor(case)

    await ask(provider_type, vendor)

    (asked,) = vendor.asked
    messages = [{"role": "user", "content": "Hi"}]
    assert (asked.method, asked.url) == ("POST", case.chat_url)
    assert asked.body == {"model": case.model, "messages": messages, "stream": True} | case.body
    assert case.headers.items() <= asked.headers.items()
    assert identity_of(asked).keys() <= case.headers.keys()
    assert "from-the-environment" not in str(asked)


@every_case
async def test_the_stream_is_read_with_its_ways(provider_type: str) -> None:
    case = CASES[provider_type]

    outcome = await ask(provider_type, make_vendor(case))

    assert outcome.failure is None
    assert outcome.text == case.text
    assert outcome.model_reported == case.reported
    figures = outcome.figures()
    counts = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    assert tuple(figures[name] for name in counts) == case.tokens
    assert figures["token_source"] == case.token_source
    assert 0 < figures["ttft_ms"] <= figures["total_latency_ms"]


@every_case
async def test_the_model_list_is_read(provider_type: str) -> None:
    case = CASES[provider_type]
    vendor = make_vendor(case)

    names = await names_of(provider_type, vendor, case.credentials)

    assert names == case.listed
    assert [asked.url for asked in vendor.asked][:1] == [case.models_url][: bool(case.models_url)]
    assert all(identity_of(asked).keys() <= case.headers.keys() for asked in vendor.asked)
    assert all(case.headers.items() <= asked.headers.items() for asked in vendor.asked)


@every_case
async def test_a_refused_key_is_an_auth_failure_that_does_not_repeat_it(provider_type: str) -> None:
    error = {"type": "authentication_error", "message": f"Incorrect API key provided: {KEY}."}
    refusal = Refusal("model", 401, {"type": "error", "error": error})
    vendor = Vendor([], {}, (refusal,))

    outcome = await ask(provider_type, vendor, {"api_key": KEY} | CASES[provider_type].credentials)

    assert outcome.failure is not None
    assert outcome.failure.error_class is ErrorClass.AUTH
    assert KEY not in outcome.failure.message


@every_case
async def test_a_stream_that_breaks_off_is_truncated(provider_type: str) -> None:
    cut = next(i for i, block in enumerate(CASES[provider_type].stream) if "there" in block)
    vendor = Vendor(CASES[provider_type].stream[:cut], {})

    outcome = await ask(provider_type, vendor)

    assert outcome.failure is not None
    assert outcome.failure.error_class is ErrorClass.TRUNCATED


async def test_a_classic_azure_deployment_stands_in_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: from-the-environment")
    case = CASES["azure_openai"]
    credentials = case.credentials | {"api_version": "2024-10-21"}
    vendor = make_vendor(case)

    outcome = await ask("azure_openai", vendor, credentials)
    names = await names_of("azure_openai", vendor, credentials)

    chat, models = vendor.asked
    root = "r1.openai.azure.com/openai"
    assert outcome.text == case.text
    assert names == case.listed
    assert chat.url == (
        f"{root}/deployments/maker%2Fmodel-1/chat/completions?api-version=2024-10-21"
    )
    assert models.url == f"{root}/models?api-version=2024-10-21"
    assert identity_of(chat) == identity_of(models) == {"api-key": KEY}
    assert "x-leak" not in chat.headers


async def test_refused_stream_options_are_left_out_and_the_refusal_is_told() -> None:
    vendor = Vendor([*PLAIN, DONE], {}, (unknown_field("stream_options"),))

    outcome = await ask("custom_openai_compatible", vendor)

    assert outcome.text == "Hello there"
    assert outcome.stream_options_refused
    assert ["stream_options" in asked.body for asked in vendor.asked] == [True, False]


async def test_a_server_that_wants_max_completion_tokens_gets_them() -> None:
    vendor = Vendor([*PLAIN, DONE], {}, (NO_MAX_TOKENS,))

    outcome = await ask("custom_openai_compatible", vendor)

    assert outcome.text == "Hello there"
    assert outcome.token_param == "max_completion_tokens"
    assert [asked.body.get("max_completion_tokens") for asked in vendor.asked] == [None, 32]


async def test_a_server_without_a_key_is_asked_without_one() -> None:
    vendor = make_vendor(CASES["custom_openai_compatible"])

    await ask("custom_openai_compatible", vendor, {"base_url": "http://box:8000/v1"})

    assert identity_of(vendor.asked[0]) == {}


@pytest.mark.parametrize("key", [{}, {"api_key": KEY}])
async def test_an_authorization_header_of_the_account_replaces_the_key(key: dict[str, str]) -> None:
    vendor = make_vendor(CASES["custom_openai_compatible"])
    given = {"base_url": "http://box:8000/v1", "headers": {"authorization": "Basic am9lOnB3"}}

    await ask("custom_openai_compatible", vendor, given | key)

    assert identity_of(vendor.asked[0]) == {"authorization": "Basic am9lOnB3"}


async def test_reasoning_comes_before_the_answer() -> None:
    for provider_type in ("deepseek", "xai"):
        figures = (await ask(provider_type, make_vendor(CASES[provider_type]))).figures()

        assert figures["ttft_ms"] <= figures["ttfa_ms"]


@pytest.mark.parametrize(
    ("provider_type", "extra", "url", "body", "names"),
    [
        (
            "cloudflare",
            {"account_id": "a1"},
            "api.cloudflare.com/client/v4/accounts/a1/ai/models/search"
            "?task=Text+Generation&per_page=1000",
            {"success": True, "result": [{"id": "0f-uuid", "name": "@cf/maker/model"}]},
            ["@cf/maker/model"],
        ),
        (
            "cohere",
            {},
            "api.cohere.com/v1/models?endpoint=chat&page_size=1000",
            {"models": [{"name": "command-a", "endpoints": ["chat"]}]},
            ["command-a"],
        ),
        (
            "github",
            {},
            "models.github.ai/catalog/models",
            [{"id": "openai/gpt-4.1", "name": "OpenAI GPT-4.1"}],
            ["openai/gpt-4.1"],
        ),
    ],
)
async def test_lists_beside_the_chat_are_read(
    provider_type: str, extra: dict[str, Any], url: str, body: Any, names: list[str]
) -> None:
    vendor = Vendor([], body)

    found = await names_of(provider_type, vendor, {"api_key": KEY} | extra)

    assert found == names
    assert [asked.url for asked in vendor.asked] == [url]


async def test_a_list_that_is_no_list_is_a_failure() -> None:
    vendor = replace(make_vendor(CASES["groq"]), models={"hello": "there"})

    with pytest.raises(ExchangeFailed) as raised:
        await names_of("groq", vendor, {"api_key": KEY})

    assert raised.value.failure.error_class is ErrorClass.MALFORMED
