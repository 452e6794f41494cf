"""Works on any number of shares at once: one thread writes what the engine loop finds out."""

from __future__ import annotations

import logging
import threading
from queue import Empty, SimpleQueue
from uuid import UUID, uuid4

from django.db import close_old_connections
from django.utils import timezone

from arguslm.api.leases import HEARTBEAT_S, LeaseLost
from models_app.models import LLM
from monitoring import budget, rounds, writer
from monitoring.models import RoundShare
from monitoring.probing import Probed
from monitoring.works import Work, begin
from monitoring.writer import AWAY
from providers.measurement import now_ns

log = logging.getLogger(__name__)
MAX_CRASHES = 4
FLUSH_S = 0.5
BATCH = 200
LOOK_AROUND_S = 5.0
# A share that another process has refused, because its account is in our hands, waits so long.
NEIGHBOURS_S = 1.0
# A database that is away for less than this costs no result: everything waits.
PATIENCE_S = 600.0

Event = UUID | tuple[Work, Probed | UUID] | Work | None


class Desk:
    """Only `take` and `leave` may be called from another thread than the one that serves."""

    def __init__(self) -> None:
        self._id = uuid4()
        self._inbox: SimpleQueue[Event] = SimpleQueue()
        self._works: dict[UUID, Work] = {}
        self._fresh = 0
        self._tried_ns = self._written_ns = self._beaten_ns = self._looked_ns = now_ns()
        self._neighbours_ns = now_ns()
        self._is_leaving = threading.Event()

    def take(self, share_id: UUID) -> None:
        self._inbox.put(share_id)

    def leave(self) -> None:
        """Makes the desk hand its shares back and take no more."""
        self._is_leaving.set()
        self._inbox.put(None)

    @property
    def is_idle(self) -> bool:
        return not self._works and self._inbox.empty()

    def serve(self) -> None:
        """Works until it is told to leave."""
        while not self._is_leaving.is_set():
            try:
                if not self._works:
                    close_old_connections()
                self.turn()
            except Exception:  # a fault of ours with one share must not end the work on all others
                log.exception("Monitoring gives up the shares at hand; they will be taken anew.")
                self._give_up()
                close_old_connections()
        self._hand_back()
        close_old_connections()

    def run_until_idle(self) -> None:
        while not self.is_idle and not self._is_leaving.is_set():
            self.turn()
        self._hand_back()

    def turn(self) -> None:
        """Takes in what is new, waiting for it for at most FLUSH_S, and writes when it is time."""
        timeout_s = FLUSH_S
        while not self._is_due():
            try:
                event = self._inbox.get(timeout=timeout_s)
            except Empty:
                break
            timeout_s = min(FLUSH_S, 0.01)
            self._accept(event)
        if self._works and self._is_due():
            self._write()
        if self._works and _seconds_since(self._neighbours_ns) >= NEIGHBOURS_S:
            self._take_neighbours()

    def _is_due(self) -> bool:
        tried_s = _seconds_since(self._tried_ns)
        is_away = self._tried_ns != self._written_ns
        if self._fresh and (tried_s >= FLUSH_S or (self._fresh >= BATCH and not is_away)):
            return True
        return bool(self._works) and min(tried_s, _seconds_since(self._beaten_ns)) >= HEARTBEAT_S

    def _accept(self, event: Event) -> None:
        if isinstance(event, UUID):
            self._claim(event)
        elif isinstance(event, Work):
            event.is_over = True
            self._fresh += 1
        elif event is not None:
            work, seen = event
            if isinstance(seen, UUID):
                work.without_result.append(seen)
            else:
                work.waiting.append(seen)
            self._fresh += 1

    def _claim(self, share_id: UUID) -> None:
        if share_id in self._works or self._is_leaving.is_set():
            return
        try:
            share = RoundShare.take(share_id, self._id)
            if share is None:
                return
            share.round.start(timezone.now())
            self._begin(share)
        except LeaseLost:
            log.info("Share %s was taken from us before its first probe.", share_id)
        except AWAY as exc:
            # Nobody has it then, or its lease runs out: the next tick calls it again.
            log.warning("A share could not be taken: %s", exc)
            close_old_connections()

    def _take_neighbours(self) -> None:
        """Takes other shares of the accounts at hand: nobody else may."""
        self._neighbours_ns = now_ns()
        accounts = {work.share.account_id for work in self._works.values()}
        try:
            waiting = RoundShare.objects.waiting(timezone.now()).filter(account__in=accounts)
            for share_id in waiting.order_by("id").values_list("pk", flat=True):
                self._claim(share_id)
        except AWAY as exc:
            log.warning("Waiting shares could not be looked for: %s", exc)
            close_old_connections()

    def _begin(self, share: RoundShare) -> None:
        if share.crashes > MAX_CRASHES:
            log.error("Share %s has ended its worker %d times: given up.", share.pk, share.crashes)
            share.own(status=RoundShare.Status.COMPLETED, lease_expires_at=None)
            rounds.finish(share.round, timezone.now())
            return
        self._works[share.pk] = begin(
            share,
            report=lambda work, seen: self._inbox.put((work, seen)),
            end=self._inbox.put,
        )

    def _write(self) -> None:
        self._tried_ns = now_ns()
        is_beat = _seconds_since(self._beaten_ns) >= HEARTBEAT_S / 2
        works = [w for w in self._works.values() if is_beat or w.has_news]
        try:
            lost = writer.write(works)
            self._dismiss(lost, works)
            if _seconds_since(self._looked_ns) >= LOOK_AROUND_S:
                self._look_around()
        except AWAY as exc:
            if _seconds_since(self._written_ns) > PATIENCE_S:
                raise
            log.warning("%d results wait for the database: %s", self._fresh, exc)
            close_old_connections()
            return
        self._written_ns = self._tried_ns
        self._fresh = 0
        if is_beat:
            self._beaten_ns = self._tried_ns

    def _dismiss(self, lost: list[Work], works: list[Work]) -> None:
        for work in lost:
            log.warning("Share %s is no longer ours: its probes stop.", work.share.pk)
            work.stop()
        torn = [work for work in works if work.is_over and not work.is_complete]
        writer.release(torn)
        ended = [work for work in works if work.is_complete and work not in lost]
        for round in {work.share.round_id: work.share.round for work in ended}.values():
            rounds.finish(round, timezone.now())
        for work in (*lost, *torn, *ended):
            self._works.pop(work.share.pk, None)

    def _look_around(self) -> None:
        """LLMs deleted or switched off meanwhile are not asked any more; none when money is out."""
        wanted = frozenset() if budget.is_spent(timezone.now()) else self._monitored()
        for work in self._works.values():
            work.still_wanted(wanted)
        self._looked_ns = now_ns()

    def _monitored(self) -> frozenset[UUID]:
        accounts = {work.share.account_id for work in self._works.values()}
        monitored = LLM.objects.monitored().filter(account__in=accounts).order_by()
        return frozenset(monitored.values_list("pk", flat=True))

    def _give_up(self) -> None:
        for work in self._works.values():
            work.stop()
        self._works.clear()
        self._fresh = 0
        self._tried_ns = self._written_ns = now_ns()

    def _hand_back(self) -> None:
        """Other processes may have the shares at once; what was measured is kept."""
        works = list(self._works.values())
        self._drain_inbox()
        try:
            lost = writer.write(works)
            writer.release(work for work in works if work not in lost and not work.is_complete)
        except AWAY as exc:
            log.warning("The shares could not be handed back, their leases will run out: %s", exc)
        self._give_up()

    def _drain_inbox(self) -> None:
        while True:
            try:
                event = self._inbox.get_nowait()
            except Empty:
                return
            if not isinstance(event, UUID):
                self._accept(event)


def _seconds_since(stamp_ns: int) -> float:
    return (now_ns() - stamp_ns) / 1e9


class Serving:
    """The desk of this process, on a thread that starts with the first share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._desk = Desk()
        self._thread: threading.Thread | None = None

    def take(self, share_id: UUID) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._desk.serve, name="monitoring-desk", daemon=True
                )
                self._thread.start()
        self._desk.take(share_id)

    def leave(self) -> None:
        self._desk.leave()

    def wait(self, timeout_s: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)


serving = Serving()
