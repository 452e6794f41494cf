from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NamedTuple

from providers.simulator.asking import AskedWrongly, Asking, read_asking
from providers.simulator.behaviour import STATUS_FAILURE, Behaviour, BehaviourError
from providers.simulator.config import SimulatorConfig
from providers.simulator.http1 import Request
from providers.simulator.journal import RequestRecord
from providers.simulator.listings import anthropic_list, ollama_tags, openai_list
from providers.simulator.openai_wire import Talk
from providers.simulator.performance import ID_HEADERS, script_for
from providers.simulator.refusals import Refusal, Wire, refusal, refused_by, refused_parameter
from providers.simulator.replies import json_script, refusal_script
from providers.simulator.roster import Roster
from providers.simulator.script import HTML, Script, instant, silent, whole
from providers.simulator.speech import counting_range


class Route(NamedTuple):
    method: str
    wire: Wire
    handler: Callable[[Request, RequestRecord], Script]


class Routes:
    """The vendors' endpoints: which one answers, and with what script."""

    def __init__(self, config: SimulatorConfig, roster: Roster, created: int) -> None:
        self._config = config
        self._roster = roster
        self._created = created
        self._routes = {"/api/tags": Route("GET", "ollama", self._tags)}
        for prefix in config.prefixes:
            chat = Route("POST", "openai", self._chat)
            self._routes[f"{prefix}/chat/completions"] = chat
            self._routes[f"{prefix}/messages"] = Route("POST", "anthropic", self._messages)
            self._routes[f"{prefix}/models"] = Route("GET", "openai", self._models)

    def script(self, request: Request, record: RequestRecord) -> Script:
        route = self._routes.get(request.path)
        wire: Wire = route.wire if route else "openai"
        if "anthropic-version" in request.headers:
            wire = "anthropic"
        record.wire = wire
        if route is None:
            return refusal_script(refusal(404, f"There is nothing at {request.path[:200]}."), wire)
        if request.method != route.method:
            return refusal_script(refusal(405, f"Use {route.method} here."), wire)
        if not self._admits(request.key):
            return refusal_script(refusal(401), wire)
        return route.handler(request, record)

    def _admits(self, key: str | None) -> bool:
        keys = self._config.api_keys
        given = (key or "").encode()
        return not keys or any(hmac.compare_digest(given, one.encode()) for one in keys)

    def _models(self, request: Request, record: RequestRecord) -> Script:
        wire: Wire = "anthropic" if record.wire == "anthropic" else "openai"
        if (failed := self._failed_list(wire)) is not None:
            return failed
        names = self._roster.names()
        if wire == "openai":
            bare = self._config.is_bare_list
            return json_script(openai_list(names, self._created, bare=bare))
        limit = request.argument("limit") or "20"
        if not (limit.isascii() and limit.isdigit()) or not 1 <= int(limit[:9]) <= 1000:
            return refusal_script(refusal(400, "limit must lie between 1 and 1000."), wire)
        after = request.argument("after_id")
        return json_script(anthropic_list(names, self._created, int(limit), after), wire)

    def _tags(self, request: Request, record: RequestRecord) -> Script:
        failed = self._failed_list("ollama")
        return failed or json_script(ollama_tags(self._roster.names(), self._created), "ollama")

    def _failed_list(self, wire: Wire) -> Script | None:
        failure = self._config.list_failure
        if failure is None:
            return None
        if failure == "hang":
            return silent()
        if failure == "html":
            return instant(whole(200, "text/html", ID_HEADERS[wire], HTML), 200)
        found = STATUS_FAILURE.fullmatch(failure)
        return refusal_script(refusal(int(found[1]) if found else 500), wire)

    def _chat(self, request: Request, record: RequestRecord) -> Script:
        return self._answer(request, record, "openai")

    def _messages(self, request: Request, record: RequestRecord) -> Script:
        return self._answer(request, record, "anthropic")

    def _answer(self, request: Request, record: RequestRecord, wire: Wire) -> Script:
        record.wire = wire
        try:
            asking = read_asking(request, wire)
            behaviour = self._roster.find(asking.model)
        except AskedWrongly as exc:
            return refusal_script(refusal(400, exc.message, param=exc.param), wire)
        except BehaviourError as exc:
            return refusal_script(refusal(400, str(exc), param="model"), wire)
        if behaviour is None:
            return refusal_script(refusal(404, _no_model(asking.model), param="model"), wire)
        nth = self._roster.count(asking.model)
        faults = behaviour.faults(nth)
        _note(record, asking, faults)
        if (refused := _refused(behaviour, faults, asking, request.key)) is not None:
            return refusal_script(refused, wire)
        return self._perform(asking, behaviour, faults, nth, wire)

    def _perform(
        self,
        asking: Asking,
        behaviour: Behaviour,
        faults: frozenset[str],
        nth: int,
        wire: Wire,
    ) -> Script:
        talk = Talk(
            model=asking.model,
            behaviour=behaviour,
            prompt_tokens=asking.prompt_tokens,
            include_usage=asking.include_usage,
            created=self._created,
        )
        count = counting_range(asking.prompt)
        question = (wire, talk, faults, asking.limit, count, asking.stream)
        return script_for(question, nth, self._roster.age_s(asking.model))


def _refused(
    behaviour: Behaviour,
    faults: frozenset[str],
    asking: Asking,
    key: str | None,
) -> Refusal | None:
    if "error-event" in faults and not asking.stream:
        return refusal(500)
    refused = refused_by(behaviour, faults, key or "")
    return refused or refused_parameter(faults, asking.body)


def _note(record: RequestRecord, asking: Asking, faults: frozenset[str]) -> None:
    record.model = asking.model
    record.stream = asking.stream
    record.parameters = asking.parameters
    record.prompt_tokens = asking.prompt_tokens
    record.faults = tuple(sorted(faults))


def _no_model(name: str) -> str:
    return f"The model {name[:100]!r} does not exist or this key has no access to it."
