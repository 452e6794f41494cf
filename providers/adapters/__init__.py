"""From a provider's wire to an outcome; the only place that knows the vendors' SDKs."""

from __future__ import annotations

from providers.adapters.endpoint import ChatRequest, DiscoveredModel, Endpoint

__all__ = ["ChatRequest", "DiscoveredModel", "Endpoint"]
