"""Codes of the API in the words of the pages."""

from __future__ import annotations

from alerts.models import AlertRule, Channel

ERRORS: dict[str, str] = {
    "dns": "name not found",
    "connect": "no connection",
    "tls": "no secure connection",
    "timeout_connect": "connecting took too long",
    "timeout_ttft": "no first token in time",
    "timeout_total": "answer took too long",
    "server_error": "server error",
    "overloaded": "provider overloaded",
    "rate_limited": "rate limited",
    "quota": "quota used up",
    "auth": "key refused",
    "not_found": "model not found",
    "bad_request": "request refused",
    "empty": "empty answer",
    "truncated": "answer cut off",
    "malformed": "answer not readable",
    "no_answer": "cut while thinking",
    "content_filter": "answer filtered",
    "assertion": "wrong answer",
}

FLAGS: dict[str, tuple[str, str]] = {
    "buffered_stream": ("buffered", "Tokens were held back and came together: no pace is known."),
    "single_chunk": ("one chunk", "The whole answer came at once: no pace is known."),
    "tokens_estimated": ("tokens estimated", "The provider did not count the tokens."),
    "usage_mismatch": ("token count doubtful", "The provider's count does not fit the text."),
    "cache_hit": ("cached prompt", "The provider took part of the prompt from its cache."),
    "hidden_reasoning": ("hidden reasoning", "Tokens were counted that were never sent."),
    "cold_connection": ("new connection", "The connection was opened for this request."),
    "client_lag": ("monitor was busy", "This monitor was late in reading; see the uncertainty."),
    "queue_wait": ("queued", "The request waited for its turn in this monitor."),
    "retried": ("retried", "More than one attempt was made in this round."),
    "rate_limited": ("rate limited", "The provider asked to slow down."),
}

STATES: dict[str, str] = {"none": "never checked", "old": "no news"}

METRICS: dict[str, str] = {
    "ttft_ms": "TTFT, ms",
    "latency_ms": "latency, ms",
    "tps": "speed, tokens/s (least allowed)",
}

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

RULE_TYPES: dict[str, tuple[str, str]] = {
    AlertRule.Type.ANY_MODEL_DOWN: (
        "Any model down",
        "One alert for each monitored model that is down.",
    ),
    AlertRule.Type.SPECIFIC_MODEL_DOWN: (
        "One model down",
        "An alert while the chosen model is down.",
    ),
    AlertRule.Type.MODEL_UNAVAILABLE_EVERYWHERE: (
        "A model down everywhere",
        "An alert while the model is down at every provider that serves it.",
    ),
    AlertRule.Type.PERFORMANCE_DEGRADATION: (
        "Slower than usual",
        "An alert when a model is clearly slower than its own history, or than a fixed limit.",
    ),
    AlertRule.Type.BENCHMARK_REGRESSION: (
        "Slower in a benchmark",
        "An alert when a run of a benchmark schedule is slower than the runs before it.",
    ),
}

CHANNEL_KINDS: dict[str, str] = {
    Channel.Kind.WEBHOOK: "Webhook: a signed POST to an address of yours",
    Channel.Kind.EMAIL: "E-mail",
    Channel.Kind.CHAT: "Chat or paging: Slack, Discord, Teams, Telegram, PagerDuty and others",
}
