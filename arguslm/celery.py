from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_init, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arguslm.settings")

app = Celery("arguslm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Connecting this signal stops Celery from replacing the logging set up by the settings."""


# A thread that writes rows gives way to the loop that stamps streams within half a millisecond
# (Python's default: five).
SWITCH_INTERVAL_S = 0.0005


@worker_init.connect
def warm_up(**kwargs: Any) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if app.conf.task_default_queue not in app.amqp.queues.consume_from:
        return
    # The first exchange of a fresh process is slow (imports, TLS context): never time that one.
    from providers.adapters import warm_up as ask_ourselves
    from providers.loop import engine_loop, settle_memory

    loop = engine_loop()
    loop.run(ask_ourselves(loop.clients), timeout_s=30)
    settle_memory()
    task_prerun.connect(refresh_error_bars)


def refresh_error_bars(**kwargs: Any) -> None:
    from models_app.calibration import error_bars
    from providers.loop import engine_loop

    error_bars.refresh(engine_loop().clients)


@worker_shutdown.connect
def drain(**kwargs: Any) -> None:
    from providers.loop import close_engine_loop

    close_engine_loop()
