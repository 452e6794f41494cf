"""Short JSON responses, sent at once."""

from __future__ import annotations

import json
from typing import Any

from providers.simulator.performance import ID_HEADERS
from providers.simulator.refusals import Refusal, Wire
from providers.simulator.script import PLACEHOLDER, Script, instant, whole


def json_script(body: Any, wire: Wire = "openai", status: int = 200) -> Script:
    data = json.dumps(body).encode()
    return instant(whole(status, "application/json", ID_HEADERS[wire], data), status)


def refusal_script(refused: Refusal, wire: Wire = "openai") -> Script:
    return instant(refusal_bytes(refused, wire), refused.status)


def refusal_bytes(refused: Refusal, wire: Wire = "openai") -> bytes:
    wait = refused.retry_after_s
    fields = [] if wait is None else [f"retry-after: {wait}"]
    body = refused.body(wire, PLACEHOLDER.decode())
    return whole(refused.status, "application/json", ID_HEADERS[wire], body, *fields)
