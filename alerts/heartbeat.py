"""A dead man's switch: an address of somebody else that we ask for as long as we are well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from alerts.evaluation import waiting
from alerts.models import AlertSettings
from alerts.transports.webhook import request
from monitoring.models import MonitoringConfig
from providers.loop import engine_loop

# Who is later than this with a round or its judgement is not well, and then nobody is told it were.
OVERDUE_AFTER = timedelta(minutes=2)
TIMEOUT_S = 35.0


def claim(now: datetime | None = None) -> bool:
    """Whether it is time to ask, and no other sweep does."""
    now = now or timezone.now()
    row = AlertSettings.load()
    last, pause = row.heartbeat_tried_at, timedelta(seconds=row.heartbeat_every_s)
    is_due = last is None or last <= now - pause
    if not row.heartbeat_url_encrypted or not is_due or not is_well(now):
        return False
    claimed = AlertSettings.objects.filter(pk=row.pk, heartbeat_tried_at=last)
    return claimed.update(heartbeat_tried_at=now) == 1


def is_well(now: datetime) -> bool:
    """Whether rounds come when they are due and are judged when they have ended."""
    config, latest = MonitoringConfig.load(), now - OVERDUE_AFTER
    if config.enabled and config.next_due_at is not None and config.next_due_at <= latest:
        return False
    return not waiting(now).filter(finished_at__lt=latest).exists()


def ping() -> bool:
    row = AlertSettings.load()
    url = row.heartbeat_url
    if url is None:
        return False
    asked = request("GET", url, {"user-agent": "ArgusLM"}, b"", datetime.now(UTC))
    answer = engine_loop().run(asked, timeout_s=TIMEOUT_S)
    changes = {"heartbeat_error": answer.error}
    if answer.ok:
        AlertSettings.objects.filter(pk=row.pk).update(**changes, heartbeat_ok_at=timezone.now())
    else:
        AlertSettings.objects.filter(pk=row.pk).update(**changes)
    return answer.ok
