"""What needs somebody now: who is down or degraded, since when, and who owns it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alerts.models import Alert, AlertRule
from arguslm.dashboard.sparkline import SLOTS, Beat
from arguslm.dashboard.standings import IN_TROUBLE, STATES, Standing
from models_app.models import LLM
from monitoring.models import UptimeCheck
from monitoring.summaries import latest_checks
from providers.models import ProviderAccount

MOST_LINES = 40
MOST_ALERTS = 100
# So many models of one account with the same trouble are one line, with some of their names.
TOGETHER = 4
NAMED = 12
ABOUT_OUTAGES = (AlertRule.Type.ANY_MODEL_DOWN, AlertRule.Type.SPECIFIC_MODEL_DOWN)


@dataclass(frozen=True, slots=True)
class Line:
    """Models of one account with the same trouble: `size` in all, of `of` monitored there."""

    status: str
    account: ProviderAccount
    error_class: str | None
    members: tuple[Standing, ...]
    size: int
    of: int


@dataclass(frozen=True, slots=True)
class Since:
    """`is_earlier`: it began before what we looked at."""

    at: datetime
    is_earlier: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    llm: LLM
    check: UptimeCheck
    since: Since
    alert: Alert | None


@dataclass(frozen=True, slots=True)
class TroubleGroup:
    line: Line
    troubles: tuple[Trouble, ...]

    @property
    def first(self) -> Trouble:
        return self.troubles[0]

    @property
    def unnamed(self) -> int:
        return self.line.size - len(self.troubles)


@dataclass(frozen=True, slots=True)
class Attention:
    """`left_out`: models in trouble that are not in any group."""

    groups: tuple[TroubleGroup, ...] = ()
    alerts: tuple[Alert, ...] = ()
    left_out: int = 0


def lines(everybody: Sequence[Standing]) -> list[Line]:
    """All who are in trouble, the worst first."""
    sizes: dict[UUID, int] = defaultdict(int)
    alike: dict[tuple[str, UUID, str | None], list[Standing]] = defaultdict(list)
    for one in everybody:
        sizes[one.account.pk] += 1
        if one.status in IN_TROUBLE:
            alike[one.status, one.account.pk, one.error_class].append(one)
    found: list[Line] = []
    for (status, account_id, error_class), members in alike.items():
        is_one_line = len(members) >= TOGETHER
        for part in [members] if is_one_line else [[one] for one in members]:
            named, of = tuple(part[:NAMED]), sizes[account_id]
            found.append(Line(status, part[0].account, error_class, named, len(part), of))
    return sorted(found, key=lambda line: (STATES.index(line.status), -line.size))


def members_of(shown: Sequence[Line]) -> list[UUID]:
    return [one.llm_id for line in shown for one in line.members]


def attention(every: Sequence[Line], beats: Mapping[UUID, Sequence[Beat]]) -> Attention:
    """`beats` holds the recent checks of the members of the first lines."""
    shown = every[:MOST_LINES]
    ids = members_of(shown)
    alerts = _open_alerts(ids)
    outages = {a.llm_id: a for a in reversed(alerts) if a.rule_type in ABOUT_OUTAGES}
    checks = latest_checks(ids)
    llms = LLM.objects.select_related("account").in_bulk(ids)
    groups = []
    for line in shown:
        present = [
            one.llm_id for one in line.members if one.llm_id in llms and one.llm_id in checks
        ]
        found = [
            _trouble(llms[pk], checks[pk], beats.get(pk, ()), outages.get(pk)) for pk in present
        ]
        if found:
            groups.append(TroubleGroup(line, tuple(sorted(found, key=lambda one: one.since.at))))
    groups.sort(key=lambda one: (STATES.index(one.line.status), one.first.since.at))
    others = tuple(a for a in alerts if a.rule_type not in ABOUT_OUTAGES)
    return Attention(tuple(groups), others, sum(line.size for line in every[MOST_LINES:]))


def _open_alerts(ids: Collection[UUID]) -> list[Alert]:
    """About the models in trouble, and all that are about anything but the outage of one model."""
    rows = Alert.objects.open().select_related("llm__account").order_by("created_at", "id")
    of_models = rows.filter(llm__in=ids, rule_type__in=ABOUT_OUTAGES)
    others = rows.exclude(rule_type__in=ABOUT_OUTAGES)
    return [*of_models[: 2 * len(ids)], *others[:MOST_ALERTS]]


def _trouble(llm: LLM, check: UptimeCheck, beats: Sequence[Beat], alert: Alert | None) -> Trouble:
    opened_at = (alert.reopened_at or alert.created_at) if alert else None
    return Trouble(llm, check, since_of(check, beats, opened_at), alert)


def since_of(
    check: UptimeCheck, beats: Sequence[Beat], alerted_at: datetime | None = None
) -> Since:
    """When the present state of a model began, by its recent checks, oldest first."""
    # Fewer than asked for are all there are.
    began, is_earlier = check.created_at, len(beats) >= SLOTS
    for beat in reversed(beats):
        if beat.status != check.status:
            is_earlier = False
            break
        began = min(began, beat.at)
    if is_earlier and alerted_at is not None and alerted_at < began:
        return Since(alerted_at)
    return Since(began, is_earlier)
