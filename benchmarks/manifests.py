"""All that is needed to understand a run and to make it again."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone

from benchmarks.documents import written
from benchmarks.models import BenchmarkRun
from benchmarks.probing import MARK_LENGTH
from models_app.packs import prompt_hash
from models_app.prices import OVERRIDE_INPUT, OVERRIDE_OUTPUT
from providers.statistics.quantiles import QUANTILE_METHOD

FORM = 1
# Facts of a run that are no property of the client: null before work begins.
OF_ITS_OWN = ("calibration", "prices")


def manifest_of(run: BenchmarkRun) -> dict[str, Any]:
    """`request` is a body for POST /benchmarks; `order` names models by their place in `models`."""
    return {
        "manifest": FORM,
        "server": {"name": "ArgusLM", "version": settings.SPECTACULAR_SETTINGS["VERSION"]},
        "run": _run(run),
        "request": request_of(run),
        "prompt": {
            "pack": run.prompt_pack,
            "sha256": prompt_hash(run.prompt),
            "text": run.prompt,
            "mark": _mark(run),
        },
        "models": _models(run),
        "order": _order(run),
        "client": {name: fact for name, fact in run.facts.items() if name not in OF_ITS_OWN},
        **{name: run.facts.get(name) for name in OF_ITS_OWN},
        "quantile_method": QUANTILE_METHOD,
    }


def request_of(run: BenchmarkRun) -> dict[str, Any]:
    return {
        "model_ids": [str(llm_id) for llm_id in run.llm_ids],
        "name": run.name,
        **run.settings(),
        "seed": run.seed,
        "prompt_sha256": prompt_hash(run.prompt),
    }


def again(run: BenchmarkRun, llms: list[Any]) -> BenchmarkRun:
    """The same order, seed and prompt, whatever has become of the pack meanwhile."""
    name = f"{run.name[:220]} again {timezone.now():%Y-%m-%d %H:%M}"
    fields = {**run.settings(), "name": name, "seed": run.seed}
    return BenchmarkRun.order(llms, **fields, **({"prompt": run.prompt} if run.prompt else {}))


def _run(run: BenchmarkRun) -> dict[str, Any]:
    times = {"created_at": run.created_at, "started_at": run.started_at}
    times["completed_at"] = run.completed_at
    return {
        "id": str(run.pk),
        "name": run.name,
        "status": str(run.status),
        "triggered_by": str(run.triggered_by),
        **{name: None if at is None else written(at) for name, at in times.items()},
    }


def _mark(run: BenchmarkRun) -> dict[str, Any] | None:
    if not run.cache_busting:
        return None
    return {
        "form": f"[{MARK_LENGTH} hexadecimal digits] and a blank, in front of the prompt",
        "digits": "BLAKE2s of run id and model id (16 bytes each) and iteration (4 bytes, "
        "big-endian)",
    }


def _models(run: BenchmarkRun) -> list[dict[str, Any]]:
    targets = run.targets.select_related("llm__account")
    return [
        {
            "id": str(target.llm_id),
            "name": target.llm.name,
            "upstream_id": target.llm.upstream_id,
            "provider_type": target.llm.account.provider_type,
            "own_prices_usd_per_1m": {
                "input": target.llm.metadata.get(OVERRIDE_INPUT),
                "output": target.llm.metadata.get(OVERRIDE_OUTPUT),
            },
        }
        for target in targets
    ]


def _order(run: BenchmarkRun) -> list[Any]:
    """Places of the models in the order of their requests; with seconds in an open loop."""
    places = {llm_id: place for place, llm_id in enumerate(run.llm_ids)}
    if run.open_loop is None:
        return [places[step.llm_id] for step in run.steps()]
    return [[places[step.llm_id], round(step.offset_s, 6)] for step in run.steps()]
