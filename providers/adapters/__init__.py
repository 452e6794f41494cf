"""From a provider's wire to an outcome; the only place that knows the vendors' SDKs."""

from __future__ import annotations

from providers.adapters.clients import ClientPool
from providers.adapters.discovery import list_models
from providers.adapters.endpoint import ChatRequest, DiscoveredModel, Endpoint
from providers.adapters.exchange import exchange
from providers.adapters.warmup import warm_up

__all__ = [
    "ChatRequest",
    "ClientPool",
    "DiscoveredModel",
    "Endpoint",
    "exchange",
    "list_models",
    "warm_up",
]
