"""What a client may send: orders of runs and schedules."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from rest_framework import serializers

from arguslm.api.fields import Choice, Flag, Id, Text, Whole
from arguslm.api.serializers import Input
from benchmarks.cron import NO_CRON, is_cron
from benchmarks.engine import Arrivals
from benchmarks.models import MAX_ITERATIONS
from benchmarks.models.schedules import MAX_ALARM_AFTER, MAX_BASELINE_RUNS, MAX_HOURS
from benchmarks.models.settings import (
    ARRIVALS,
    MAX_CONCURRENCY,
    MAX_RATE,
    MAX_TIME_LIMIT_S,
    MAX_TOKENS,
    MIN_RATE,
)
from benchmarks.objectives import PRESETS
from models_app.models import LLM
from models_app.pack_serializers import PackChoice
from models_app.packs import pack_of, prompt_hash

MAX_LLMS = 50
MAX_REQUESTS = 20_000
MAX_SEED = 2**31 - 1


class Number(serializers.FloatField):
    """A finite JSON number above zero."""

    default_error_messages = {"positive": "Must be above zero."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        found = float(super().to_internal_value(data)) if abs(data) < 1e300 else math.inf
        if not math.isfinite(found):
            self.fail("invalid")
        if found <= 0:
            self.fail("positive")
        return found


class SloInput(Input):
    """Limits for one request; a preset's limits may be overridden one by one."""

    preset = Choice(choices=list(PRESETS), required=False)
    ttft_ms = Number(required=False, allow_null=True)
    latency_ms = Number(required=False, allow_null=True)
    tpot_ms = Number(required=False, allow_null=True)
    tps = Number(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in attrs.items() if value is not None}


class SettingsInput(Input):
    model_ids = serializers.ListField(
        child=Id(), min_length=1, max_length=MAX_LLMS, help_text="Distinct; one LLM each."
    )
    prompt_pack = PackChoice(max_length=64)
    max_tokens = Whole(default=200, min_value=1, max_value=MAX_TOKENS)
    num_runs = Whole(default=3, min_value=1, max_value=MAX_ITERATIONS)
    concurrency_per_llm = Whole(default=1, min_value=1, max_value=MAX_CONCURRENCY)
    request_rate = Number(
        default=None,
        allow_null=True,
        min_value=MIN_RATE,
        max_value=MAX_RATE,
        help_text="Requests per second and model, sent whether or not earlier ones were answered.",
    )
    arrivals = Choice(choices=ARRIVALS, default=Arrivals.POISSON.value)
    cache_busting = Flag(default=True, help_text="Puts a mark of its own in front of each prompt.")
    model_time_limit_s = Whole(
        default=None, allow_null=True, min_value=1, max_value=MAX_TIME_LIMIT_S
    )
    run_time_limit_s = Whole(default=None, allow_null=True, min_value=1, max_value=MAX_TIME_LIMIT_S)
    slo = SloInput(default=dict)

    def validate_model_ids(self, llm_ids: list[UUID]) -> list[LLM]:
        """The LLMs in the order in which they were named."""
        twice = sorted({str(llm_id) for llm_id in llm_ids if llm_ids.count(llm_id) > 1})
        if twice:
            raise serializers.ValidationError(f"Named more than once: {', '.join(twice)}.")
        found = LLM.objects.select_related("account").in_bulk(llm_ids)
        unknown = [str(llm_id) for llm_id in llm_ids if llm_id not in found]
        if unknown:
            raise serializers.ValidationError(f"No such model: {', '.join(unknown)}.")
        closed = [llm for llm in found.values() if not _may_run(llm)]
        if closed:
            names = ", ".join(f"{llm.name} ({llm.pk})" for llm in closed)
            raise serializers.ValidationError(f"Not enabled for benchmarks: {names}.")
        return [found[llm_id] for llm_id in llm_ids]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        current = {name: self._current(attrs, name) for name in ("model_ids", "num_runs")}
        requests = len(current["model_ids"]) * current["num_runs"]
        if requests > MAX_REQUESTS:
            raise serializers.ValidationError(
                f"The run would make {requests} requests; {MAX_REQUESTS} is the most."
            )
        return attrs

    def _current(self, attrs: dict[str, Any], name: str) -> Any:
        if name in attrs:
            return attrs[name]
        return getattr(self.instance, "llm_ids" if name == "model_ids" else name)


def _may_run(llm: LLM) -> bool:
    return llm.enabled_for_benchmark and llm.account.enabled


class BenchmarkInput(SettingsInput):
    name = Text(max_length=255, required=False, allow_null=True, allow_blank=True)
    seed = Whole(
        required=False, min_value=0, max_value=MAX_SEED, help_text="Repeats the order of a run."
    )
    prompt_sha256 = Text(
        required=False, max_length=64, help_text="Refused unless the pack's prompt has this hash."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = attrs.pop("prompt_sha256", None)
        pack = pack_of(attrs["prompt_pack"])
        if wanted is not None and (pack is None or prompt_hash(pack.prompt) != wanted):
            sentence = "The prompt of this pack is another one here."
            raise serializers.ValidationError({"prompt_sha256": [sentence]})
        return super().validate(attrs)


class ScheduleInput(SettingsInput):
    """Give either `cron` or `every_hours`."""

    read_only_names = (
        "id",
        "baseline_from",
        "next_due_at",
        "last_note",
        "created_at",
        "updated_at",
    )

    name = Text(max_length=255)
    enabled = Flag(default=True)
    cron = Text(required=False, max_length=100, allow_null=True, help_text="Five fields, in UTC.")
    every_hours = Whole(required=False, allow_null=True, min_value=1, max_value=MAX_HOURS)
    baseline_runs = Whole(default=7, min_value=3, max_value=MAX_BASELINE_RUNS)
    alarm_after_runs = Whole(
        default=1,
        min_value=1,
        max_value=MAX_ALARM_AFTER,
        help_text="Runs that must be slower one after the other before an alert is raised.",
    )

    def validate_cron(self, text: str | None) -> str:
        if text is not None and not is_cron(text):
            raise serializers.ValidationError(NO_CRON)
        return text or ""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        before = self.instance
        # Whoever changes the one kind of rhythm lets go of the other.
        if before is not None and attrs.get("cron"):
            attrs.setdefault("every_hours", None)
        elif before is not None and attrs.get("every_hours"):
            attrs.setdefault("cron", "")
        rhythm = [attrs.get(n, getattr(before, n, None)) for n in ("cron", "every_hours")]
        if sum(map(bool, rhythm)) != 1:
            sentence = "Give either cron or every_hours."
            raise serializers.ValidationError({"cron": [sentence], "every_hours": [sentence]})
        return super().validate(attrs)

    def fields_of(self) -> tuple[list[LLM] | None, dict[str, Any]]:
        """The LLMs, if given, and the columns."""
        values: dict[str, Any] = {**self.validated_data}
        return values.pop("model_ids", None), values
