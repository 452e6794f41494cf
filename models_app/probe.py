"""The single road from an LLM to a measurement: monitoring, benchmarks and connection tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models_app.models import LLM, Measured
from models_app.prices import cost_of
from models_app.prompts import PromptPack
from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange
from providers.measurement import Outcome


@dataclass(frozen=True, slots=True)
class Target:
    """All that a probe needs, read from the database beforehand."""

    llm_id: UUID
    account_id: UUID
    name: str
    upstream_id: str
    endpoint: Endpoint


def target_of(llm: LLM) -> Target:
    return Target(llm.pk, llm.account_id, llm.name, llm.upstream_id, llm.account.endpoint)


async def probe(
    target: Target,
    pack: PromptPack,
    *,
    max_tokens: int,
    clients: ClientPool,
    sched_ns: int | None = None,
    acq_ns: int | None = None,
    mark: str = "",
) -> Outcome:
    """One attempt, one record. `sched_ns` and `acq_ns` are stamps of `measurement.now_ns`.

    `mark` goes in front of the prompt; see ChatRequest.
    """
    request = ChatRequest(
        target.upstream_id, pack.prompt, max_tokens=max_tokens, temperature=None, mark=mark
    )
    return await exchange(
        target.endpoint, request, clients=clients, sched_ns=sched_ns, acq_ns=acq_ns
    )


def row_values(llm: LLM, outcome: Outcome) -> dict[str, Any]:
    """The `Measured` columns of an outcome. A failure keeps its class and sentence, no figures."""
    figures = outcome.figures()
    values: dict[str, Any] = {name: figures[name] for name in Measured.FIGURES if name in figures}
    values["estimated_cost"] = cost_of(llm, figures)
    failure = outcome.failure
    values["error"] = failure.message if failure else None
    values["error_class"] = failure.error_class.value if failure else None
    return values


def quirks_of(outcome: Outcome) -> dict[str, Any]:
    """What an answer taught about how its provider wants to be asked: fields of an Endpoint."""
    quirks: dict[str, Any] = {}
    if outcome.stream_options_refused:
        quirks["stream_options"] = False
    if outcome.token_param is not None:
        quirks["token_param"] = outcome.token_param
    return quirks


def learn(llm: LLM, outcome: Outcome) -> None:
    """Remembers on the account how its provider wants to be asked."""
    quirks = quirks_of(outcome)
    if quirks and any(llm.account.quirks.get(key) != value for key, value in quirks.items()):
        llm.account.learn(**quirks)
