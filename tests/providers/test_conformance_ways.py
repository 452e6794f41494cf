"""Models and interfaces that a cloud serves in another way than the wire of its account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from providers.adapters import ChatRequest, exchange, list_models
from providers.adapters.events import error_message
from providers.endpoints import resolve
from providers.measurement import Outcome
from tests.providers.aws_frames import CONVERSE, event, exception
from tests.providers.vendor_cases import CLAUDE, KEY, WITH_USAGE, chunk, counted
from tests.providers.vendor_server import DONE, Asked, Refusal, Vendor, sse, vendor_at_work

IAM = {"aws_access_key_id": "AKIDEXAMPLE0", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG"}
US = {"region": "us-west-2"}
BEARER = {"api_key": KEY}
RUNTIME = "bedrock-runtime.us-west-2.amazonaws.com"
MANTLE = "https://bedrock-mantle.us-west-2.api.aws"
HELLO = [{"role": "user", "content": "Hi"}]
CLAUDE_STREAM = sse(*CLAUDE, named=True)
COMPLETION = sse(
    {"model": "model-1-2025", "choices": [{"index": 0, "text": "Hello", "finish_reason": None}]},
    {"model": "model-1-2025", "choices": [{"index": 0, "text": " there", "finish_reason": "stop"}]},
    {"model": "model-1-2025", "choices": [], "usage": counted()},
    DONE,
)


async def ask(
    provider_type: str, credentials: dict[str, Any], model: str, vendor: Vendor
) -> Outcome:
    request = ChatRequest(model, "Hi", max_tokens=32)
    async with vendor_at_work(vendor) as clients:
        return await exchange(resolve(provider_type, credentials), request, clients=clients)


def counts(outcome: Outcome) -> tuple[int | None, int | None, int | None]:
    figures = outcome.figures()
    assert figures["token_source"] == "usage"
    assert 0 < figures["ttft_ms"] <= figures["total_latency_ms"]
    return figures["input_tokens"], figures["output_tokens"], figures["cached_tokens"]


def signed_service(asked: Asked) -> str:
    found = re.search(r"AKIDEXAMPLE0/\d{8}/us-west-2/([\w-]+)/", asked.headers["authorization"])
    assert found is not None, asked.headers["authorization"]
    return found[1]


CONVERSE_BODY = {
    "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
    "inferenceConfig": {"maxTokens": 32},
}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1%3A0"),
        ("us.amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1%3A0"),
        (
            "arn:aws:bedrock:us-west-2:1:inference-profile/a1",
            "arn%3Aaws%3Abedrock%3Aus-west-2%3A1%3Ainference-profile%2Fa1",
        ),
    ],
)
@pytest.mark.parametrize("proof", [BEARER, IAM])
async def test_bedrock_is_asked_through_converse(
    model: str, path: str, proof: dict[str, str]
) -> None:
    vendor = Vendor(CONVERSE, {})

    outcome = await ask("aws_bedrock", US | proof, model, vendor)

    (asked,) = vendor.asked
    assert (outcome.failure, outcome.text) == (None, "Hello there")
    assert counts(outcome) == (9, 2, 4)
    assert asked.url == f"{RUNTIME}/model/{path}/converse-stream"
    assert asked.body == CONVERSE_BODY
    if proof is IAM:
        assert signed_service(asked) == "bedrock"
    else:
        assert asked.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("stream", "error_class", "said"),
    [
        (CONVERSE[:3], "truncated", "without saying"),
        ([*CONVERSE[:3], exception("throttlingException", "Slow down")], "truncated", "Slow down"),
        ([*CONVERSE[:3], b"noise" * 9], "malformed", "not JSON"),
        ([b'{"message": "no stream"}'], "malformed", "in one piece"),
        ([], "empty", "empty body"),
        ([CONVERSE[0], event("messageStop", {"stopReason": "end_turn"})], "empty", "single token"),
        (
            [CONVERSE[1], event("messageStop", {"stopReason": "guardrail_intervened"})],
            "content_filter",
            "filter",
        ),
    ],
)
async def test_bad_endings_of_converse_have_their_classes(
    stream: Sequence[bytes], error_class: str, said: str
) -> None:
    outcome = await ask("aws_bedrock", US | BEARER, "amazon.nova", Vendor(stream, {}))

    assert outcome.failure is not None
    assert outcome.failure.error_class == error_class
    assert said in outcome.failure.message


@pytest.mark.parametrize(
    ("status", "message", "error_class"),
    [
        (400, "The provided model identifier is invalid.", "not_found"),
        (400, "ServiceQuotaExceededException: Your request exceeds the quota.", "quota"),
        (403, f"Bearer {KEY} may not", "auth"),
        (424, "The model failed.", "server_error"),
        (429, "Too many requests", "rate_limited"),
        (503, "Busy", "overloaded"),
    ],
)
async def test_refusals_of_bedrock_have_their_classes(
    status: int, message: str, error_class: str
) -> None:
    vendor = Vendor([], {}, (Refusal("messages", status, {"message": message}),))

    outcome = await ask("bedrock", US | BEARER, "meta.llama", vendor)

    assert outcome.failure is not None
    assert outcome.failure.error_class == error_class
    assert KEY not in outcome.failure.message


async def test_bedrock_lists_what_can_be_asked_by_name_and_the_profiles_of_the_rest() -> None:
    profile = {
        "inferenceProfileId": "us.maker.two",
        "models": [{"modelArn": "a:foundation-model/maker.two"}],
    }
    image = {
        "inferenceProfileId": "us.maker.image",
        "models": [{"modelArn": "a:foundation-model/maker.image"}],
    }
    models = [
        {"modelId": "maker.one", "inferenceTypesSupported": ["ON_DEMAND"]},
        {"modelId": "maker.two", "inferenceTypesSupported": ["INFERENCE_PROFILE"]},
    ]
    profiles = "bedrock.us-west-2.amazonaws.com/inference-profiles"
    vendor = Vendor(
        [],
        {"modelSummaries": models},
        answers={
            f"{profiles}?maxResults=1000&nextToken=t2": {"inferenceProfileSummaries": [image]},
            profiles: {"inferenceProfileSummaries": [profile], "nextToken": "t2"},
        },
    )
    async with vendor_at_work(vendor) as clients:
        found = await list_models(resolve("aws_bedrock", US | BEARER), clients=clients)

    assert [model.upstream_id for model in found] == ["maker.one", "us.maker.two"]
    assert len(vendor.asked) == 3


@pytest.mark.parametrize("proof", [BEARER, IAM])
async def test_mantle_serves_claude_on_anthropics_wire(proof: dict[str, str]) -> None:
    vendor = Vendor(CLAUDE_STREAM, {})
    credentials = US | proof | {"base_url": MANTLE}

    outcome = await ask("aws_bedrock", credentials, "anthropic.claude-opus", vendor)
    other = Vendor(WITH_USAGE, {})
    await ask("aws_bedrock", credentials, "openai.gpt-oss-120b", other)

    (asked,) = vendor.asked
    assert counts(outcome) == (9, 2, 4)
    assert asked.url == f"{MANTLE[8:]}/anthropic/v1/messages"
    assert other.asked[0].url == f"{MANTLE[8:]}/openai/v1/chat/completions"
    assert "x-api-key" not in asked.headers
    if proof is IAM:
        assert signed_service(asked) == signed_service(other.asked[0]) == "bedrock-mantle"
    else:
        assert asked.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "model", ["claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4-5@20250929"]
)
async def test_vertex_serves_claude_at_its_own_address(model: str) -> None:
    vendor = Vendor(CLAUDE_STREAM, {})
    credentials = {"api_key": KEY, "region": "global", "project": "p1"}

    outcome = await ask("google_vertex", credentials, model, vendor)

    (asked,) = vendor.asked
    assert counts(outcome) == (9, 2, 4)
    assert asked.url == (
        "aiplatform.googleapis.com/v1/projects/p1/locations/global/publishers/anthropic/models/"
        "claude-sonnet-4-5@20250929:streamRawPredict"
    )
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in asked.headers
    assert asked.body == {
        "anthropic_version": "vertex-2023-10-16",
        "messages": HELLO,
        "stream": True,
        "max_tokens": 32,
    }


async def test_foundry_serves_claude_on_anthropics_wire() -> None:
    vendor = Vendor(CLAUDE_STREAM, {})

    outcome = await ask("azure_ai", BEARER | {"resource": "r1"}, "claude-haiku-4-5", vendor)

    (asked,) = vendor.asked
    assert counts(outcome) == (9, 2, 4)
    assert asked.url == "r1.services.ai.azure.com/anthropic/v1/messages"
    assert asked.headers["x-api-key"] == KEY
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("provider_type", "credentials", "url", "stream", "has_stream_options"),
    [
        ("text-completion-openai", BEARER, "api.openai.com/v1/completions", COMPLETION, True),
        (
            "azure_text",
            BEARER | {"base_url": "https://r1.openai.azure.com"},
            "r1.openai.azure.com/openai/v1/completions",
            COMPLETION,
            True,
        ),
        (
            "azure_text",
            BEARER | {"base_url": "https://r1.openai.azure.com", "api_version": "2024-10-21"},
            "r1.openai.azure.com/openai/deployments/m1/completions?api-version=2024-10-21",
            COMPLETION,
            True,
        ),
        (
            "text-completion-inception",
            BEARER,
            "api.inceptionlabs.ai/v1/fim/completions",
            COMPLETION,
            True,
        ),
        (
            "text-completion-codestral",
            BEARER,
            "codestral.mistral.ai/v1/fim/completions",
            sse(chunk("Hello"), chunk(" there", "stop", usage=counted()), DONE),
            False,
        ),
    ],
)
async def test_completions_are_asked_with_a_prompt(
    provider_type: str,
    credentials: dict[str, str],
    url: str,
    stream: list[str],
    has_stream_options: bool,
) -> None:
    vendor = Vendor(stream, {})

    outcome = await ask(provider_type, credentials, "m1", vendor)

    (asked,) = vendor.asked
    options = {"stream_options": {"include_usage": True}} if has_stream_options else {}
    assert (outcome.failure, outcome.text) == (None, "Hello there")
    assert counts(outcome) == (9, 2, None)
    assert asked.url == url
    assert asked.body == {"model": "m1", "prompt": "Hi", "stream": True, "max_tokens": 32} | options


SAGEMAKER = "runtime.sagemaker.us-west-2.amazonaws.com/endpoints/e1"
INVOKED = [event("PayloadPart", block.encode()) for block in WITH_USAGE]


@pytest.mark.parametrize("provider_type", ["sagemaker", "sagemaker_chat", "sagemaker_nova"])
@pytest.mark.parametrize(
    ("proof", "path", "stream"),
    [
        (BEARER, "/openai/v1/chat/completions", WITH_USAGE),
        (IAM, "/invocations-response-stream", INVOKED),
    ],
)
async def test_sagemaker_is_asked_with_a_token_or_invoked_with_a_signature(
    provider_type: str, proof: dict[str, str], path: str, stream: Sequence[str | bytes]
) -> None:
    vendor = Vendor(stream, {})

    outcome = await ask(provider_type, US | proof | {"endpoint": "e1"}, "m1", vendor)

    (asked,) = vendor.asked
    assert (outcome.failure, outcome.text) == (None, "Hello there")
    assert counts(outcome) == (9, 2, None)
    assert asked.url == SAGEMAKER + path
    assert ("model" in asked.body) is (provider_type != "sagemaker_nova")
    if proof is IAM:
        assert signed_service(asked) == "sagemaker"


WATSONX = "eu-de.ml.cloud.ibm.com/ml/v1"
IBM_TOKENS = "iam.cloud.ibm.com/identity/token"
SBER_TOKENS = "ngw.devices.sberbank.ru:9443/api/v2/oauth"


@pytest.mark.parametrize(
    ("model", "path", "named"),
    [
        ("ibm/granite", "/text/chat_stream", {"model_id": "ibm/granite", "project_id": "p1"}),
        ("deployment/d-1", "/deployments/d-1/text/chat_stream", {}),
    ],
)
async def test_watsonx_is_asked_with_a_token_that_the_key_buys(
    model: str, path: str, named: dict[str, str]
) -> None:
    answers = {IBM_TOKENS: {"access_token": "bought-0123456789", "expires_in": 3600}}
    stream = sse(chunk("Hello"), chunk(" there", "stop"), {"choices": [], "usage": counted()})
    vendor = Vendor(stream, {}, answers=answers)

    outcome = await ask("watsonx", BEARER | {"region": "eu-de", "project": "p1"}, model, vendor)

    bought, asked = vendor.asked
    assert (outcome.failure, outcome.text) == (None, "Hello there")
    assert bought.body == {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": KEY}
    assert asked.url == f"{WATSONX}{path}?version=2025-04-23"
    assert asked.headers["authorization"] == "Bearer bought-0123456789"
    assert asked.body == {**named, "messages": HELLO, "max_tokens": 32}
    assert "openai-project" not in asked.headers


async def test_watsonx_lists_its_models() -> None:
    answers = {IBM_TOKENS: {"access_token": "bought-0123456789", "expires_in": 3600}}
    vendor = Vendor([], {"resources": [{"model_id": "ibm/granite", "label": "g"}]}, answers=answers)
    endpoint = resolve("watsonx", BEARER | {"region": "eu-de", "project": "p1"})
    async with vendor_at_work(vendor) as clients:
        found = await list_models(endpoint, clients=clients)

    assert [model.upstream_id for model in found] == ["ibm/granite"]
    assert vendor.asked[1].url == (f"{WATSONX}/foundation_model_specs?limit=200&version=2025-04-23")


async def test_gigachat_is_asked_with_a_token_that_the_key_buys() -> None:
    answers = {SBER_TOKENS: {"access_token": "bought-0123456789", "expires_at": 4102444800000}}
    vendor = Vendor(WITH_USAGE, {}, answers=answers)

    outcome = await ask("gigachat", BEARER | {"scope": "GIGACHAT_API_B2B"}, "GigaChat-2", vendor)

    bought, asked = vendor.asked
    assert counts(outcome) == (9, 2, None)
    assert bought.body == {"scope": "GIGACHAT_API_B2B"}
    assert bought.headers["authorization"] == f"Basic {KEY}"
    assert bought.headers["rquid"]
    assert asked.url == "gigachat.devices.sberbank.ru/api/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer bought-0123456789"


@pytest.mark.parametrize(
    ("provider_type", "credentials", "tokens", "seller"),
    [
        ("gigachat", BEARER, SBER_TOKENS, "Sber"),
        ("watsonx", BEARER | {"region": "eu-de", "project": "p1"}, IBM_TOKENS, "IBM Cloud"),
    ],
)
async def test_a_key_that_buys_nothing_is_an_auth_failure(
    provider_type: str, credentials: dict[str, str], tokens: str, seller: str
) -> None:
    vendor = Vendor([], {}, answers={tokens: {"errorMessage": f"No such key {KEY}"}})

    outcome = await ask(provider_type, credentials, "m1", vendor)

    assert outcome.failure is not None
    assert outcome.failure.error_class == "auth"
    assert outcome.failure.message.startswith(f"{seller} gave no access token for the ")
    assert "No such key [hidden]" in outcome.failure.message


async def test_databricks_lists_its_serving_endpoints() -> None:
    vendor = Vendor([], {"endpoints": [{"name": "llama-4", "id": "ab12", "task": "llm/v1/chat"}]})
    endpoint = resolve("databricks", BEARER | {"base_url": "https://w1.cloud.databricks.com"})
    async with vendor_at_work(vendor) as clients:
        found = await list_models(endpoint, clients=clients)

    assert [model.upstream_id for model in found] == ["llama-4"]
    assert vendor.asked[0].url == "w1.cloud.databricks.com/api/2.0/serving-endpoints"


async def test_two_ways_of_one_account_keep_their_connections() -> None:
    vendor = Vendor(CONVERSE, {})
    endpoint = resolve("aws_bedrock", US | BEARER)
    async with vendor_at_work(vendor) as clients:
        for model in ("openai.gpt", "amazon.nova", "openai.gpt", "amazon.nova"):
            await exchange(endpoint, ChatRequest(model, "Hi"), clients=clients)

        assert len(clients) == 2


def test_errors_of_amazon_hold_their_sentence_under_either_name() -> None:
    assert error_message({"Message": "A.", "__type": "b"}) == "A."
    assert error_message({"message": "A."}) == "A."
