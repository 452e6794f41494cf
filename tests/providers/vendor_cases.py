"""What each vendor's API is asked and how it answers, with the ways in which they differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.providers.vendor_server import DONE, Refusal, sse

KEY = "sk-conformance-0123456789"
MODEL = "maker/model-1"
BEARER = {"authorization": f"Bearer {KEY}"}


@dataclass(frozen=True, slots=True)
class Case:
    """``body`` is what the chat request holds beside model, messages and stream."""

    credentials: dict[str, Any]
    chat_url: str
    models_url: str
    stream: list[str]
    models: Any
    listed: list[str]
    headers: dict[str, str] = field(default_factory=lambda: BEARER)
    body: dict[str, Any] = field(
        default_factory=lambda: {"max_tokens": 32, "stream_options": {"include_usage": True}}
    )
    refusals: tuple[Refusal, ...] = ()
    text: str = "Hello there"
    tokens: tuple[int | None, int, int | None, int | None] = (9, 2, None, None)
    token_source: str = "usage"
    reported: str = "model-1-2025"
    model: str = MODEL


def chunk(
    text: str | None = None, finish: str | None = None, *, usage: Any = None, **more: Any
) -> dict[str, Any]:
    """One chunk of a chat completion; ``more`` goes beside its choices."""
    delta = more.pop("delta", {}) | ({} if text is None else {"content": text})
    choice = {"index": 0, "delta": delta, "finish_reason": finish} | more.pop("choice", {})
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "model-1-2025",
        "choices": [choice],
        "usage": usage,
    } | more


def counted(prompt: int = 9, completion: int = 2, total: int = 11, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total} | more


def listed(*ids: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in ids]}


USAGE_CHUNK = chunk(usage=counted()) | {"choices": []}
PLAIN = sse(
    chunk("", delta={"role": "assistant"}), chunk("Hello"), chunk(" there"), chunk(finish="stop")
)
WITH_USAGE = [*PLAIN, *sse(USAGE_CHUNK), DONE]
IN_LAST_CHUNK = sse(
    chunk("", delta={"role": "assistant"}),
    chunk("Hello"),
    chunk(" there", "stop", usage=counted()),
    DONE,
)
TWO = ["maker/model-1", "maker/model-2"]


def usual(credentials: dict[str, Any], base: str, **more: Any) -> Case:
    """A vendor that does as the protocol says, but for ``more``."""
    facts: dict[str, Any] = {
        "chat_url": f"{base}/chat/completions",
        "models_url": f"{base}/models",
        "stream": WITH_USAGE,
        "models": listed(*TWO),
        "listed": TWO,
    }
    return Case(credentials=credentials, **facts | more)


def unknown_field(name: str) -> Refusal:
    detail = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs not permitted"}
    return Refusal(name, 422, {"object": "error", "message": {"detail": [detail]}})


COMPLETION_TOKENS = {"max_completion_tokens": 32, "stream_options": {"include_usage": True}}
NO_MAX_TOKENS = Refusal(
    "max_tokens",
    400,
    {
        "error": {
            "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "type": "invalid_request_error",
            "param": "max_tokens",
            "code": "unsupported_parameter",
        }
    },
)
THOUGHTS = {
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 64},
}
CLAUDE = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "model-1-2025",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " there"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
GOOGLE_BASE = "generativelanguage.googleapis.com/v1beta/openai"
VERTEX_BASE = "europe-west4-aiplatform.googleapis.com/v1/projects/p1/locations/europe-west4"
AZURE = "https://r1.openai.azure.com"

CASES: dict[str, Case] = {
    "openai": usual(
        {"api_key": KEY, "organization": "org-1", "project": "proj_1"},
        "api.openai.com/v1",
        headers=BEARER | {"openai-organization": "org-1", "openai-project": "proj_1"},
        body=COMPLETION_TOKENS,
        refusals=(NO_MAX_TOKENS,),
        stream=[
            *sse(
                chunk("", delta={"role": "assistant", "refusal": None}, obfuscation="x1"),
                chunk("Hello", obfuscation="kJ"),
                chunk(" there", obfuscation="q"),
                chunk(finish="stop", obfuscation="Zz"),
                USAGE_CHUNK | {"usage": counted(9, 66, 75, **THOUGHTS)},
            ),
            DONE,
        ],
        tokens=(9, 66, 4, 64),
    ),
    "anthropic": Case(
        {"api_key": KEY},
        "api.anthropic.com/v1/messages",
        "api.anthropic.com/v1/models?limit=1000",
        stream=sse(*CLAUDE, named=True),
        models={"data": [{"type": "model", "id": name} for name in TWO], "has_more": False},
        listed=TWO,
        headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        body={"max_tokens": 32},
        refusals=(unknown_field("stream_options"),),
        tokens=(9, 2, 4, None),
    ),
    "google_vertex": usual(
        {"api_key": KEY, "region": "europe-west4", "project": "p1"},
        f"{VERTEX_BASE}/endpoints/openapi",
        models_url="",
        listed=["google/gemini-2.5-pro", "google/gemini-2.5-flash", "google/gemini-2.5-flash-lite"],
        stream=sse(
            chunk("Hello", delta={"role": "assistant"}),
            chunk(" there", "stop", delta={"role": "assistant"}, usage=counted(9, 2, 75)),
            DONE,
        ),
        tokens=(9, 66, None, 64),
    ),
    "google_ai_studio": usual(
        {"api_key": KEY, "base_url": "https://generativelanguage.googleapis.com/v1beta"},
        GOOGLE_BASE,
        models=listed("models/gemini-2.5-flash", "models/gemini-2.5-pro"),
        listed=["gemini-2.5-flash", "gemini-2.5-pro"],
        stream=sse(
            chunk("Hello", delta={"role": "assistant"}, usage=counted(9, 1, 10)),
            chunk(" there", "stop", delta={"role": "assistant"}, usage=counted()),
            DONE,
        ),
    ),
    "aws_bedrock": usual(
        {"api_key": KEY, "region": "us-west-2"},
        "bedrock-runtime.us-west-2.amazonaws.com/openai/v1",
        models_url="bedrock.us-west-2.amazonaws.com/foundation-models?byOutputModality=TEXT",
        models={"modelSummaries": [{"modelId": name, "providerName": "OpenAI"} for name in TWO]},
        body=COMPLETION_TOKENS,
        model="openai.gpt-oss-20b-1:0",
    ),
    "azure_openai": usual(
        {"api_key": KEY, "base_url": AZURE},
        "r1.openai.azure.com/openai/v1",
        headers={"api-key": KEY},
        body=COMPLETION_TOKENS,
        stream=[
            *sse(
                {"choices": [], "model": "", "prompt_filter_results": [{"prompt_index": 0}]},
                chunk("", delta={"role": "assistant"}, choice={"content_filter_results": {}}),
                chunk("Hello"),
                chunk(" there"),
                chunk(finish="stop"),
                USAGE_CHUNK,
            ),
            DONE,
        ],
    ),
    "ollama": usual(
        {"base_url": "http://gpu-box:11434"},
        "gpu-box:11434/v1",
        models_url="gpu-box:11434/api/tags",
        models={"models": [{"name": "llama3.2:1b", "model": "llama3.2:1b", "details": {}}]},
        listed=["llama3.2:1b"],
        headers={},
        stream=[
            *sse(
                chunk("Hello", delta={"role": "assistant"}, system_fingerprint="fp_ollama"),
                chunk(" there", delta={"role": "assistant"}, system_fingerprint="fp_ollama"),
                chunk("", "stop", delta={"role": "assistant"}, system_fingerprint="fp_ollama"),
                USAGE_CHUNK,
            ),
            DONE,
        ],
    ),
    "lm_studio": usual(
        {"base_url": "http://desk:1234"},
        "desk:1234/v1",
        headers={},
        stream=[*PLAIN, *sse(USAGE_CHUNK | {"stats": {}}), DONE],
    ),
    "openrouter": usual(
        {"api_key": KEY},
        "openrouter.ai/api/v1",
        stream=[
            ": OPENROUTER PROCESSING\n\n",
            ": OPENROUTER PROCESSING\n\n",
            *sse(
                chunk("", delta={"role": "assistant"}, provider="Maker"),
                chunk("Hello", delta={"role": "assistant"}, provider="Maker"),
            ),
            ": OPENROUTER PROCESSING\n\n",
            *sse(
                chunk(" there", delta={"role": "assistant"}, provider="Maker"),
                chunk("", "stop", choice={"native_finish_reason": "end_turn"}),
                chunk("", usage=counted(cost=0.000014)),
            ),
            DONE,
        ],
    ),
    "together_ai": usual(
        {"api_key": KEY},
        "api.together.xyz/v1",
        models=[{"id": name, "object": "model", "type": "chat"} for name in TWO],
        stream=sse(
            chunk("Hello", choice={"text": "Hello"}, delta={"token_id": 9906}),
            chunk(" there", choice={"text": " there"}, delta={"token_id": 1070}),
            chunk("", "eos", choice={"text": ""}, usage=counted()),
            DONE,
        ),
    ),
    "groq": usual(
        {"api_key": KEY},
        "api.groq.com/openai/v1",
        stream=sse(
            chunk("", delta={"role": "assistant"}, x_groq={"id": "req_1"}),
            chunk("Hello"),
            chunk(" there"),
            chunk(finish="stop", x_groq={"id": "req_1", "usage": counted(queue_time=0.02)}),
            DONE,
        ),
    ),
    "mistral": usual(
        {"api_key": KEY},
        "api.mistral.ai/v1",
        body={"max_tokens": 32},
        refusals=(unknown_field("stream_options"), unknown_field("max_completion_tokens")),
        stream=IN_LAST_CHUNK,
    ),
    "xai": usual(
        {"api_key": KEY},
        "api.x.ai/v1",
        stream=[
            *sse(
                chunk(delta={"role": "assistant", "reasoning_content": "Greet"}),
                chunk("Hello"),
                chunk(" there", "stop"),
                USAGE_CHUNK
                | {"usage": counted(9, 2, 75, completion_tokens_details={"reasoning_tokens": 64})},
            ),
            DONE,
        ],
        tokens=(9, 66, None, 64),
    ),
    "fireworks_ai": usual({"api_key": KEY}, "api.fireworks.ai/inference/v1", stream=IN_LAST_CHUNK),
    "deepseek": usual(
        {"api_key": KEY},
        "api.deepseek.com",
        stream=[
            ": keep-alive\n\n",
            *sse(
                chunk(delta={"role": "assistant", "content": None, "reasoning_content": ""}),
                chunk(delta={"content": None, "reasoning_content": "They want a greeting."}),
                chunk("Hello", delta={"reasoning_content": None}),
                chunk(" there", delta={"reasoning_content": None}),
                chunk(
                    "",
                    "stop",
                    usage=counted(
                        9,
                        66,
                        75,
                        prompt_cache_hit_tokens=4,
                        completion_tokens_details={"reasoning_tokens": 64},
                    ),
                ),
            ),
            DONE,
        ],
        tokens=(9, 66, 4, 64),
    ),
    "custom_openai_compatible": usual(
        {
            "api_key": KEY,
            "base_url": "https://gate.example/llm/v1?tier=fast",
            "headers": {"X-Team": "blue"},
        },
        "gate.example/llm/v1",
        chat_url="gate.example/llm/v1/chat/completions?tier=fast",
        models_url="gate.example/llm/v1/models?tier=fast",
        headers=BEARER | {"x-team": "blue"},
        stream=[*PLAIN, DONE],
        tokens=(1, 3, None, None),
        token_source="estimated",
    ),
}
