"""One attempt at one answer, measured."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from providers.adapters import faults
from providers.adapters.clients import WIRES, Client, ClientPool, current_trace
from providers.adapters.deadline import Deadline
from providers.adapters.endpoint import ChatRequest, Endpoint
from providers.adapters.reading import Reading, Unreadable
from providers.adapters.refusals import Dialect, Refused
from providers.adapters.verdict import judge
from providers.echoes import conceal, holds_secret
from providers.errors import ErrorClass, Failure
from providers.measurement import TRACE_KEY, Measurement, Outcome, Trace, now_ns, wall_clock

if TYPE_CHECKING:
    import httpx2

_ID = re.compile(r"[\w.:/=+-]{1,200}", re.ASCII)


async def exchange(
    endpoint: Endpoint,
    request: ChatRequest,
    *,
    clients: ClientPool,
    sched_ns: int | None = None,
    acq_ns: int | None = None,
) -> Outcome:
    """Asks once and measures the answer. Upstream failures are in the outcome, never raised.

    A server that refuses an optional field is asked again without it; only the request that it
    accepts is timed, and the outcome says what was refused. ``clients`` remember it for the model
    a while, so that it is not refused over and over.
    """
    endpoint = endpoint.towards(request.model)
    dialect, lost_ns = clients.dialects.of(endpoint, request.model), 0
    while True:
        trace = Trace(sched_ns=_later(sched_ns, lost_ns), acq_ns=_later(acq_ns, lost_ns))
        attempt = Attempt(endpoint, request, dialect, clients, trace)
        asked_ns = now_ns()
        try:
            outcome = await attempt.run()
        except Refused as refused:
            softer = dialect.after(refused)
            if softer is None:
                return attempt.refused(refused)
            dialect, lost_ns = softer, lost_ns + now_ns() - asked_ns
        else:
            if dialect.tried and outcome.ok:
                clients.dialects.keep(endpoint, request.model, dialect)
            return _with_refusals(outcome, dialect)


def _later(stamp_ns: int | None, by_ns: int) -> int | None:
    return None if stamp_ns is None else stamp_ns + by_ns


def _with_refusals(outcome: Outcome, dialect: Dialect) -> Outcome:
    if not dialect.tried:
        return outcome
    return replace(
        outcome,
        stream_options_refused="stream_options" in dialect.tried,
        token_param=dialect.token_param if "token_param" in dialect.tried else None,
        temperature_refused="temperature" in dialect.tried,
    )


class Attempt:
    def __init__(
        self,
        endpoint: Endpoint,
        request: ChatRequest,
        dialect: Dialect,
        clients: ClientPool,
        trace: Trace,
    ) -> None:
        self.endpoint = endpoint
        self.request = request
        self.dialect = dialect
        self.clients = clients
        self.trace = trace
        self.wire = WIRES[endpoint.protocol]
        self._has_ended: Callable[[bytes], bool] = self.wire.has_ended
        self.reading = self._new_reading()
        self.deadline = Deadline(endpoint, trace)
        self.started_at = wall_clock()
        self.client: Client | None = None
        self.unreadable: Unreadable | None = None
        self.was_resent = False
        self.request_name = ""
        self.secrets = endpoint.secrets

    async def run(self) -> Outcome:
        """Raises Refused when the status was no success."""
        with self.clients.lag.window(self.trace) as self.window:
            cut = await self._carry()
        return self._outcome(await self._read_rest(cut))

    async def _carry(self) -> Failure | None:
        """Asks and drains; what broke on the way is the result, None when nothing did."""
        try:
            async with self.clients.lease(self.endpoint) as client, self.deadline:
                self.client = client
                await self._drain(await self._ask(client))
        except TimeoutError:
            return self._expired()
        except Exception as exc:  # noqa: BLE001 - the SDKs wrap what they like; unknown goes on
            return self._broken(exc)
        return None

    async def _ask(self, client: Client) -> httpx2.Response:
        key, mark = (self.request.unmarked, self.dialect), self.request.mark
        response = await client.send_again(key, self.endpoint, self.trace, mark)
        if response is None:
            response = await self._ask_through_sdk(client)
            client.keep_built(key, response.request, mark)
        return response

    async def _ask_through_sdk(self, client: Client) -> httpx2.Response:
        token = current_trace.set(self.trace)
        try:
            response: httpx2.Response = await self.wire.ask(
                client.sdk, self.endpoint, self.request, self.dialect
            )
        finally:
            current_trace.reset(token)
        return response

    async def _drain(self, response: httpx2.Response) -> None:
        from providers.wire.body import drain

        self._adopt(response)
        await drain(response, self._watch)

    def _adopt(self, response: httpx2.Response) -> None:
        """A transport may have filled a trace of its own instead of the one it was given."""
        filled: Trace = response.extensions[TRACE_KEY]
        filled.sched_ns, filled.acq_ns = self.trace.sched_ns, self.trace.acq_ns
        self.trace = self.deadline.trace = self.window.trace = filled
        self.was_resent = bool(response.extensions.get("arguslm.resent"))
        headers = response.headers
        self.request_name = headers.get("x-request-id") or headers.get("request-id") or ""
        if encoding := headers.get("content-encoding", ""):
            self.reading = self._new_reading(encoding)

    def _new_reading(self, encoding: str = "") -> Reading:
        return Reading(self.wire.decoder(), self.wire.splitter(self.endpoint), encoding)

    def _watch(self, at_ns: int, piece: bytes) -> bool:
        """Decodes until the first content has come; from then on only looks for the end mark."""
        if not self.reading.chunks and self.unreadable is None:
            try:
                self.reading.catch_up(self.trace, limit=len(self.trace.pieces))
            except Unreadable as exc:
                self.unreadable = exc
            if self.reading.chunks:
                self.deadline.content_seen()
        if self._has_ended(piece):
            self.deadline.finished()
        return True

    def _expired(self) -> Failure | None:
        match self.deadline.expired:
            case ErrorClass.TIMEOUT_TTFT:
                return faults.ttft_timeout(self.endpoint)
            case ErrorClass.TIMEOUT_CONNECT:
                return faults.connect_timeout(self.endpoint)
            case ErrorClass.TIMEOUT_TOTAL:
                return faults.total_timeout(self.endpoint)
            case _:
                return None

    def _broken(self, exc: Exception) -> Failure:
        if refused := next((e for e in faults.causes(exc) if isinstance(e, Refused)), None):
            raise refused from None
        has_answered = self.trace.hdr_ns is not None
        failure = faults.of_exception(exc, self.endpoint, has_answered=has_answered)
        if failure is None:
            raise exc
        return failure

    async def _read_rest(self, cut: Failure | None) -> Failure | None:
        """Decodes in small steps: other streams of this loop are still being stamped."""
        if self.trace.hdr_ns is None:
            return cut
        try:
            if self.unreadable is not None:
                raise self.unreadable
            while self.reading.is_behind(self.trace):
                self.reading.catch_up(self.trace)
                if self.reading.is_behind(self.trace):
                    await asyncio.sleep(0)
            self.reading.finish()
        except Unreadable as exc:
            sentence = f"The answer cannot be read: {exc}."
            return faults.failure(self.endpoint, ErrorClass.MALFORMED, sentence)
        return judge(self.reading, self.endpoint, cut)

    def _outcome(self, failure: Failure | None) -> Outcome:
        names = self.reading.names
        return Outcome(
            started_at=self.started_at,
            measurement=self._measurement(),
            failure=failure,
            text=conceal(self.reading.text, self.secrets),
            finish_reason=self._shown(self.reading.finish_reason),
            model_reported=self._shown(names.model),
            fingerprint=self._shown(names.fingerprint),
            request_id=self._request_id(),
            status_code=self.trace.status,
        )

    def _measurement(self) -> Measurement | None:
        if self.trace.send_ns is None or self.trace.hdr_ns is None:
            return None
        flags = {"usage_mismatch": self.reading.is_usage_doubtful, "retried": self.was_resent}
        return Measurement.of(
            self.trace,
            self.reading.chunks,
            self.reading.tokens(self.request.text),
            bias_ms=self.clients.bias_ms,
            spread_ms=self.clients.spread_ms,
            is_end_mixed=self.reading.is_end_mixed,
            has_visible_reasoning=self.reading.has_reasoning,
            noted=frozenset(name for name, is_set in flags.items() if is_set),
        )

    def _request_id(self) -> str | None:
        """Only what looks like an id; each is new, so that sanitising them all would cost time."""
        name = self.request_name
        if not _ID.fullmatch(name) or holds_secret(name, self.secrets):
            return None
        return name

    def _shown(self, text: str | None) -> str | None:
        if text is None or self.client is None:
            return None
        return self.client.show(text, self.secrets)

    def refused(self, refused: Refused) -> Outcome:
        failure = faults.of_refusal(refused, self.endpoint)
        return Outcome(self.started_at, self._measurement(), failure, status_code=refused.status)
