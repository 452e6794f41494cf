from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from providers.simulator import Simulator, running_simulator
from tests.providers.simulator_client import SAY_HELLO

QUICK = "sim:ttft=5,gap=1,tokens=8"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def openai_client(simulator: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{simulator.base_url}/v1", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(simulator: Simulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="k", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("quirk", ["", ",fail=split", ",fail=merged", ",fail=comments+split"])
def test_the_openai_sdk_reads_a_stream(openai_client: openai.OpenAI, quirk: str) -> None:
    chunks = list(
        openai_client.chat.completions.create(
            model=f"{QUICK},kind=unicode{quirk}",
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Größe 東京 naïve — café ✓ Ωmega 🌊"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8


def test_the_openai_sdk_reads_a_whole_answer(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(
        model=f"{QUICK},cached=1",
        messages=[{"role": "user", "content": "Hello there"}],
        max_tokens=3,
    )

    assert answer.choices[0].message.content == "The harbour wakes"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 3)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 1


@pytest.mark.parametrize("quirk", ["", ",fail=split", ",fail=merged", ",fail=comments+split"])
def test_the_anthropic_sdk_reads_a_stream(
    anthropic_client: anthropic.Anthropic, quirk: str
) -> None:
    with anthropic_client.messages.stream(
        model=f"{QUICK},reasoning=3{quirk}",
        max_tokens=100,
        messages=[{"role": "user", "content": "Hello"}],
    ) as stream:
        message = stream.get_final_message()

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (1, 11)


def test_the_anthropic_sdk_reads_a_whole_answer(anthropic_client: anthropic.Anthropic) -> None:
    message = anthropic_client.messages.create(
        model=QUICK, max_tokens=3, messages=[{"role": "user", "content": "Hello"}]
    )

    assert message.content[0].type == "text"
    assert message.content[0].text == "The harbour wakes"
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3)


def test_both_sdks_know_the_errors(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.RateLimitError, match="slow down"):
        openai_client.chat.completions.create(
            model=f"{QUICK},fail=status-429", messages=[{"role": "user", "content": "Hello"}]
        )
    with pytest.raises(anthropic.OverloadedError, match="overloaded"):
        anthropic_client.messages.create(
            model=f"{QUICK},fail=status-529",
            max_tokens=5,
            messages=[{"role": "user", "content": "Hello"}],
        )


def test_both_sdks_list_every_model(
    simulator: Simulator,
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
) -> None:
    assert [model.id for model in openai_client.models.list()] == simulator.models()
    assert [model.id for model in anthropic_client.models.list(limit=2)] == simulator.models()


async def test_the_simulator_shares_a_loop_with_an_async_client() -> None:
    simulator = Simulator()
    await simulator.start()
    async with openai.AsyncOpenAI(
        base_url=f"{simulator.base_url}/v1", api_key="k", max_retries=0
    ) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model=QUICK,
            messages=[{"role": "user", "content": SAY_HELLO[0]["content"]}],
        )
    record = simulator.record_of(raw.headers["x-request-id"])
    await simulator.stop()

    assert record is not None
    assert (record.tokens, record.outcome) == (8, "done")
