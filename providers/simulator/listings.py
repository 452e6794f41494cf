"""Model lists in the three shapes clients ask for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def openai_list(names: Sequence[str], created: int, *, bare: bool) -> Any:
    """https://platform.openai.com/docs/api-reference/models/list"""
    rows = [
        {"id": name, "object": "model", "created": created, "owned_by": "simulator"}
        for name in names
    ]
    return rows if bare else {"object": "list", "data": rows}


def anthropic_list(
    names: Sequence[str],
    created: int,
    limit: int,
    after: str | None,
) -> dict[str, Any]:
    """https://docs.anthropic.com/en/api/models-list"""
    start = names.index(after) + 1 if after in names else 0
    page = names[start : start + limit]
    at = datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z")
    rows = [
        {"type": "model", "id": name, "display_name": _title(name), "created_at": at}
        for name in page
    ]
    return {
        "data": rows,
        "has_more": start + limit < len(names),
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def ollama_tags(names: Sequence[str], created: int) -> dict[str, Any]:
    """https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models"""
    at = datetime.fromtimestamp(created, UTC).isoformat()
    return {"models": [_tag(name, at) for name in names]}


def _tag(name: str, modified_at: str) -> dict[str, Any]:
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "simulated",
        "families": ["simulated"],
        "parameter_size": "1B",
        "quantization_level": "Q4_0",
    }
    return {
        "name": name,
        "model": name,
        "modified_at": modified_at,
        "size": 1_000_000_000,
        "digest": hashlib.sha256(name.encode("utf-8", "replace")).hexdigest(),
        "details": details,
    }


def _title(name: str) -> str:
    return name.replace("-", " ").title()
