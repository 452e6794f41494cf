from __future__ import annotations

from tests.benchmarks.conftest import channel_layer, valkey_url

__all__ = ["channel_layer", "valkey_url"]
