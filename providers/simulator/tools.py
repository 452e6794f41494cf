from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

from providers.simulator.behaviour import Behaviour, BehaviourError
from providers.simulator.http1 import Request
from providers.simulator.journal import Journal
from providers.simulator.naming import behaviour_from
from providers.simulator.refusals import refusal
from providers.simulator.replies import json_script, refusal_script
from providers.simulator.roster import Roster
from providers.simulator.script import Script

_MODELS = "/sim/models"


class Tools:
    """The simulator's own endpoints, served to this machine only.

    GET /health, GET /sim/log[?request_id=..|?limit=..], GET /sim/models,
    POST /sim/models/{name} with a JSON object of Behaviour fields to change (a new name starts
    from the defaults; {"failure": null} heals), DELETE /sim/models/{name}.
    """

    def __init__(self, roster: Roster, journal: Journal) -> None:
        self._roster = roster
        self._journal = journal

    @staticmethod
    def serves(path: str) -> bool:
        return path == "/health" or path.startswith("/sim/")

    def script(self, request: Request, *, is_local: bool) -> Script:
        if request.path == "/health" and request.method == "GET":
            return json_script({"status": "ok", "now_ns": time.perf_counter_ns()})
        if not is_local:
            return refusal_script(refusal(403, "Only this machine may use the simulator's tools."))
        name = request.path.removeprefix(f"{_MODELS}/")
        if name != request.path and name:
            return self._change(request, name)
        if request.method != "GET":
            return refusal_script(refusal(405, "Use GET here."))
        if request.path == "/sim/log":
            return self._log(request)
        if request.path == _MODELS:
            return json_script(self._behaviours())
        return refusal_script(refusal(404, "The simulator has no such tool."))

    def _log(self, request: Request) -> Script:
        wanted = request.argument("request_id")
        if wanted is not None:
            record = self._journal.find(wanted)
            if record is None:
                return refusal_script(refusal(404, "No such request in the log."))
            return json_script(record.as_dict())
        limit = request.argument("limit") or "50"
        if not (limit.isascii() and limit.isdigit()):
            return refusal_script(refusal(400, "limit must be a whole number."))
        records = self._journal.recent()[-max(1, int(limit[:6])) :]
        return json_script({"records": [record.as_dict() for record in records]})

    def _behaviours(self) -> dict[str, Any]:
        found = ((name, self._roster.find(name)) for name in self._roster.names())
        return {name: dataclasses.asdict(behaviour) for name, behaviour in found if behaviour}

    def _change(self, request: Request, name: str) -> Script:
        if request.method == "DELETE":
            if self._roster.remove(name):
                return json_script({"removed": name})
            return refusal_script(refusal(404, "There is no such model."))
        if request.method != "POST":
            return refusal_script(refusal(405, "Use POST or DELETE here."))
        try:
            behaviour = behaviour_from(_fields(request.body), self._roster.find(name))
        except BehaviourError as exc:
            return refusal_script(refusal(400, str(exc)))
        self._roster.put(name, behaviour)
        return json_script(dataclasses.asdict(behaviour))


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BehaviourError("The body is not JSON.") from exc
    if not isinstance(fields, dict):
        raise BehaviourError(f"The body must be a JSON object of {Behaviour.__name__} fields.")
    return fields
