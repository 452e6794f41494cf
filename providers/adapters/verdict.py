"""Was it an answer? The failure rules of a stream that has been read to its end."""

from __future__ import annotations

import json

from providers.adapters.endpoint import Endpoint
from providers.adapters.events import error_message
from providers.adapters.faults import failure
from providers.adapters.reading import Reading
from providers.errors import ErrorClass, Failure

OUT_OF_TOKENS = frozenset({"length", "max_tokens", "model_context_window_exceeded"})
FILTERED = frozenset(
    {
        *("content_filter", "refusal", "safety", "SAFETY"),
        *("content_filtered", "guardrail_intervened"),  # Bedrock
    }
)


def judge(reading: Reading, endpoint: Endpoint, cut: Failure | None = None) -> Failure | None:
    """None for a whole answer. ``cut`` is what the transport knows of a stream it lost."""
    if cut is not None and not reading.is_complete:
        return cut
    if reading.error is not None:
        sentence = "The provider reported an error in the middle of the answer."
        return failure(endpoint, ErrorClass.TRUNCATED, sentence, reading.error.message)
    if reading.event_count == 0:
        return _of_no_stream(reading, endpoint)
    if reading.garbled is not None:
        sentence = "The stream holds an event that is not JSON."
        return failure(endpoint, ErrorClass.MALFORMED, sentence)
    if not reading.is_complete:
        sentence = "The stream ended without saying that the answer is finished."
        return failure(endpoint, ErrorClass.TRUNCATED, sentence)
    return _of_ending(reading, endpoint)


def _of_ending(reading: Reading, endpoint: Endpoint) -> Failure | None:
    if reading.finish_reason in FILTERED:
        sentence = "The provider's content filter stopped the answer."
        return failure(endpoint, ErrorClass.CONTENT_FILTER, sentence)
    if reading.has_answer:
        return None
    has_thought = bool(reading.has_reasoning or reading.usage.output)
    if reading.finish_reason in OUT_OF_TOKENS and has_thought:
        sentence = "The token limit was used up by thinking: raise max_tokens to get an answer."
        return failure(endpoint, ErrorClass.NO_ANSWER, sentence)
    sentence = "The provider answered 200 and finished without a single token of an answer."
    return failure(endpoint, ErrorClass.EMPTY, sentence)


def _of_no_stream(reading: Reading, endpoint: Endpoint) -> Failure:
    head = reading.head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not head:
        return failure(endpoint, ErrorClass.EMPTY, "The provider answered 200 with an empty body.")
    if head.startswith("<"):
        sentence = "The provider answered with a web page instead of a stream: check the base URL."
        return failure(endpoint, ErrorClass.MALFORMED, sentence)
    if head.startswith(("{", "[")):
        return _of_json(head, endpoint)
    sentence = "The provider answered with something that is no event stream."
    return failure(endpoint, ErrorClass.MALFORMED, sentence)


def _of_json(head: str, endpoint: Endpoint) -> Failure:
    try:
        body = json.loads(head)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict) and (body.get("error") or body.get("object") == "error"):
        sentence = "The provider answered 200 with an error instead of a stream."
        return failure(endpoint, ErrorClass.MALFORMED, sentence, error_message(body))
    sentence = (
        "The provider sent its answer in one piece instead of a stream: nothing can be timed."
    )
    return failure(endpoint, ErrorClass.MALFORMED, sentence)
