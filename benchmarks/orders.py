"""An order that is given in a terminal: by options, by a manifest, or by both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from arguslm.api.errors import body_of
from benchmarks.analysis_serializers import ComparisonQuery
from benchmarks.inputs import BenchmarkInput
from benchmarks.models import BenchmarkRun
from models_app.models import LLM

PACK = "health_check"
NAME = "From the terminal"


class BadOrder(ValueError):
    """Cannot be run; the text says why."""


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a run, with its LLMs as `model_ids`. Raises BadOrder."""
    reader = BenchmarkInput(data={"prompt_pack": PACK, "name": NAME, **given})
    try:
        reader.is_valid(raise_exception=True)
    except ValidationError as exc:
        raise BadOrder(body_of(exc)["detail"]) from exc
    return dict(reader.validated_data)


def ids_of(names: Iterable[str]) -> list[str]:
    return [str(model_named(name).pk) for name in names]


def model_named(text: str) -> LLM:
    """By id, by name, or by `account/name` when several accounts have one of that name."""
    account, _, name = text.partition("/")
    named = Q(upstream_id__iexact=text) | Q(custom_name__iexact=text)
    qualified = Q(account__display_name__iexact=account) & (
        Q(upstream_id__iexact=name) | Q(custom_name__iexact=name)
    )
    rows = LLM.objects.select_related("account")
    found = list(rows.filter(named | qualified)) or list(rows.filter(pk__in=_uuids(text)))
    if not found:
        raise BadOrder(f"There is no model {text!r}.")
    if len(found) > 1:
        ways = ", ".join(llm.full_name() for llm in found)
        raise BadOrder(f"{text!r} is the name of several models: {ways}.")
    return found[0]


def of_manifest(path: Path) -> dict[str, Any]:
    """The request of a manifest, with its models as they are known here. Raises BadOrder."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        asked, models = dict(manifest["request"]), list(manifest["models"])
        asked["model_ids"] = [_known_here(model["id"], model["upstream_id"]) for model in models]
    except OSError as exc:
        raise BadOrder(f"{path} cannot be read: {exc.strerror}.") from exc
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        if isinstance(exc, BadOrder):
            raise
        raise BadOrder(f"{path} is no manifest of a benchmark.") from exc
    return asked


def baseline_of(text: str) -> list[BenchmarkRun]:
    """Earlier runs by their ids; none of the empty text. Raises BadOrder."""
    if not text:
        return []
    reader = ComparisonQuery(data={"baseline": text}, context={"run": BenchmarkRun()})
    try:
        reader.is_valid(raise_exception=True)
    except ValidationError as exc:
        raise BadOrder(body_of(exc)["detail"]) from exc
    return list(reader.validated_data["baseline"])


def _known_here(model_id: str, upstream_id: str) -> str:
    same = LLM.objects.filter(pk__in=_uuids(model_id)).first()
    return str((same or model_named(upstream_id)).pk)


def _uuids(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
