"""How far off this installation measures: exchanges with the simulator, whose truth is known.

The simulator runs in a process of its own; both sides stamp with the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from providers.adapters import ChatRequest, ClientPool, Endpoint, exchange, warm_up
from providers.measurement import Measurement, Outcome, now_ns
from providers.simulator import loop_factory, running_simulator
from providers.statistics.quantiles import median, quantile

TTFT_MS, GAP_MS, CHUNKS, THOUGHTS, STALL_MS = 100, 20, 26, 10, 150
# Longer in one write than this, and the simulator itself does not know when its bytes left.
CERTAIN_NS = 1_000_000
LEFT_OUT_LIMIT = 0.02
LOAD_LIMIT = 0.75
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """``streams`` at once, again and again for ``seconds``, each chunk of ``chunk`` tokens."""

    streams: int
    chunk: int = 1
    kind: str = "plain"
    seconds: float = 6.0

    @property
    def tokens(self) -> int:
        return CHUNKS * self.chunk

    @property
    def model(self) -> str:
        words = f"ttft={TTFT_MS},gap={GAP_MS},tokens={self.tokens},chunk={self.chunk}"
        if self.kind == "reasoning":
            words = f"ttft={TTFT_MS},gap={GAP_MS},tokens={self.tokens - THOUGHTS}"
            words += f",reasoning={THOUGHTS}"
        if self.kind == "stall":
            words += f",stall-after={self.tokens // 2},stall={STALL_MS}"
        return f"sim:{words}"


# The one whose error widens the error bars: as many streams as monitoring has in flight.
REFERENCE = Scenario(20)
FULL: tuple[Scenario, ...] = (
    *(Scenario(streams, chunk) for streams in (1, 20, 100, 300) for chunk in (1, 20)),
    Scenario(20, kind="reasoning"),
    Scenario(20, kind="stall"),
)
QUICK: tuple[Scenario, ...] = (
    Scenario(1, seconds=0.9),
    Scenario(20, seconds=0.9),
    Scenario(20, 20, seconds=0.9),
    Scenario(100, seconds=0.9),
    Scenario(20, kind="reasoning", seconds=0.4),
    Scenario(20, kind="stall", seconds=0.4),
)


@dataclass(frozen=True, slots=True)
class Truth:
    """One stream as the simulator wrote it, nanoseconds."""

    read_ns: int
    first_ns: int
    last_ns: int
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What one scenario showed.

    The error of a TTFT is the stamp of the first content minus its true write time, plus the time
    that sending the request took. ``bias_ms`` is its median, ``spread_ms`` half the width of its
    middle 90 %, ``p99_ms`` the 99th percentile of its size. ``server_p99_ms`` is that of our TTFT
    against the simulator's own view, which begins when it has read the request. None where
    nothing could be compared.
    """

    streams: int
    tokens_per_chunk: int
    kind: str
    n: int
    bias_ms: float | None
    spread_ms: float | None
    p99_ms: float | None
    server_p99_ms: float | None
    tpot_error: float | None
    are_tokens_exact: bool
    cpu_ms_per_1000_tokens: float | None
    tokens_per_s: float
    lagged: int
    left_out: int
    failed: int


@dataclass(frozen=True, slots=True)
class Report:
    findings: tuple[Finding, ...]
    noise: tuple[str, ...]
    client: dict[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> Finding:
        found = (f for f in self.findings if (f.streams, f.tokens_per_chunk) == (20, 1))
        return next(found, self.findings[0])

    def rows(self) -> list[dict[str, Any]]:
        return [asdict(finding) for finding in self.findings]


def calibrate(
    scenarios: tuple[Scenario, ...] = FULL, tell: Callable[[Finding], None] = lambda finding: None
) -> Report:
    """Blocks until every scenario has run; ``tell`` hears of each. Raises RuntimeError when the
    simulator cannot start."""
    load = os.getloadavg()[0]
    with _separate_simulator() as simulator, asyncio.Runner(loop_factory=loop_factory()) as runner:
        findings = runner.run(_run_all(simulator, scenarios, tell))
    facts = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": _processors(),
        "load_before": round(load, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    return Report(findings, tuple(_noise(findings, load)), facts)


def _noise(findings: tuple[Finding, ...], load: float) -> Iterator[str]:
    """Why the figures may say more about the machine's other work than about the client."""
    processors = _processors()
    if processors < 2:
        yield "Client and simulator had to share one processor."
    if load > LOAD_LIMIT * processors:
        yield f"The load average was {load:.1f} on {processors} processors when it began."
    left_out = sum(finding.left_out for finding in findings)
    seen = sum(finding.n for finding in findings) + left_out
    if left_out > LEFT_OUT_LIMIT * seen:
        yield f"The simulator was held up in {left_out} of {seen} streams; they do not count."


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _run_all(
    simulator: Simulation, scenarios: tuple[Scenario, ...], tell: Callable[[Finding], None]
) -> tuple[Finding, ...]:
    clients = ClientPool()
    findings: list[Finding] = []
    try:
        await warm_up(clients)
        for scenario in scenarios:
            findings.append(await _run(simulator, clients, scenario))
            tell(findings[-1])
    finally:
        await clients.close()
    return tuple(findings)


async def _run(simulator: Simulation, clients: ClientPool, scenario: Scenario) -> Finding:
    endpoint = Endpoint("calibration", f"{simulator.base_url}/v1", api_key="calibration")
    request = ChatRequest(scenario.model, "Count.", max_tokens=10_000)

    async def ask() -> Outcome:
        return await exchange(endpoint, request, clients=clients)

    await asyncio.gather(*[ask() for _ in range(scenario.streams)])
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        simulator.truths()
        cpu_s, start_ns = time.process_time(), now_ns()
        outcomes = await _ask_for(scenario, ask)
        cpu_s, passed_s = time.process_time() - cpu_s, (now_ns() - start_ns) / 1e9
    finally:
        gc.enable()
        gc.unfreeze()
    return _finding(scenario, outcomes, simulator.truths(), cpu_s, passed_s)


async def _ask_for(scenario: Scenario, ask: Callable[[], Any]) -> list[Outcome]:
    """The streams start evenly spread over the length of one of them."""
    outcomes: list[Outcome] = []
    stream_s = (TTFT_MS + GAP_MS * CHUNKS) / 1000
    until_ns = now_ns() + int(scenario.seconds * 1e9)

    async def work(nth: int) -> None:
        await asyncio.sleep(nth / scenario.streams * stream_s)
        while True:
            outcomes.append(await ask())
            if now_ns() >= until_ns:
                return

    await asyncio.gather(*[work(nth) for nth in range(scenario.streams)])
    return outcomes


def _finding(
    scenario: Scenario,
    outcomes: list[Outcome],
    truths: dict[str, Truth],
    cpu_s: float,
    passed_s: float,
) -> Finding:
    good = [one for one in outcomes if one.ok and one.measurement is not None]
    pairs = [(one.measurement, truths.get(one.request_id or "")) for one in good]
    known = [(m, t) for m, t in pairs if m is not None and t is not None and t.is_certain]
    errors = [_error_ms(m, t) for m, t in known]
    apart = [abs((m.ttft_ms or 0.0) - (t.first_ns - t.read_ns) / 1e6) for m, t in known]
    tokens = sum(m.output_tokens or 0 for m, _ in pairs if m is not None)
    return Finding(
        streams=scenario.streams,
        tokens_per_chunk=scenario.chunk,
        kind=scenario.kind,
        n=len(known),
        bias_ms=median(errors) if errors else None,
        spread_ms=(quantile(errors, 0.95) - quantile(errors, 0.05)) / 2 if errors else None,
        p99_ms=quantile([abs(error) for error in errors], 0.99) if errors else None,
        server_p99_ms=quantile(apart, 0.99) if apart else None,
        tpot_error=_tpot_error(known),
        are_tokens_exact=all(m.output_tokens == scenario.tokens for m, _ in pairs if m),
        cpu_ms_per_1000_tokens=cpu_s * 1e6 / tokens if tokens else None,
        tokens_per_s=tokens / passed_s,
        lagged=sum("client_lag" in m.quality_flags for m, _ in pairs if m is not None),
        left_out=len(good) - len(known),
        failed=len(outcomes) - len(good),
    )


def _error_ms(seen: Measurement, truth: Truth) -> float:
    left_ns = min(seen.sent_ns or seen.send_ns, truth.read_ns)  # the latest that it can have left
    sending_ns = left_ns - seen.send_ns
    return ((seen.first_ns or 0) - truth.first_ns + sending_ns) / 1e6


def _tpot_error(known: list[tuple[Measurement, Truth]]) -> float | None:
    """Median share by which the time per token is off."""
    shares = [
        m.tpot_ms / _true_tpot_ms(m, t) - 1
        for m, t in known
        if t.last_ns > t.first_ns and m.tpot_ms is not None
    ]
    return median(shares) if shares else None


def _true_tpot_ms(seen: Measurement, truth: Truth) -> float:
    later = (seen.output_tokens or 0) - seen.tokens.first_chunk
    return (truth.last_ns - truth.first_ns) / 1e6 / later


@dataclass(frozen=True, slots=True)
class Simulation:
    """The simulator in its own process."""

    base_url: str
    pipe: Connection

    def truths(self) -> dict[str, Truth]:
        """The streams since the last call, by the name the simulator gave the request."""
        self.pipe.send(True)
        told: dict[str, Truth] = self.pipe.recv()
        return told


@contextmanager
def _separate_simulator() -> Iterator[Simulation]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(PATIENCE_S):
            raise RuntimeError("The simulator did not start in time.")
        yield Simulation(ours.recv(), ours)
    except EOFError:
        raise RuntimeError("The simulator ended before its time.") from None
    finally:
        ours.close()
        process.join(5.0)
        if process.is_alive():
            process.kill()
            process.join()


def _serve(pipe: Connection) -> None:
    """Answers every message with the streams since the last; ends with the pipe."""
    with running_simulator(log_size=50_000) as simulator:
        gc.freeze()
        pipe.send(simulator.base_url)
        told: set[str] = set()
        while _has_asked(pipe):
            log = [record for record in simulator.log if record.t_done and record.writes]
            fresh = [record for record in log if record.request_id not in told]
            told = {record.request_id for record in log}
            pipe.send({record.request_id: _truth(record) for record in fresh})


def _has_asked(pipe: Connection) -> bool:
    try:
        pipe.recv()
    except (EOFError, OSError):
        return False
    return True


def _truth(record: Any) -> Truth:
    certain = record.longest_write_ns < CERTAIN_NS and not record.queued_writes
    return Truth(record.t_request_read, record.writes[0], record.writes[-1], certain)
