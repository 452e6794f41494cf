from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Model
from django.utils import timezone

from alerts.models import AlertSettings, Silence
from benchmarks.models import BenchmarkSchedule
from models_app.models import OwnPromptPack
from tests.alerts.storing import make_channel
from tests.make import make_account, make_alert, make_llm, make_round, make_rule, make_run


@pytest.fixture
def places() -> dict[str, str]:
    """Identifiers of one row of each kind; nothing of them leads away from this machine."""
    nobody = {"base_url": "http://127.0.0.1:9/v1"}
    llm = make_llm(make_account(nobody, provider_type="lm_studio"))
    rule = make_rule()
    silence = Silence.objects.create(name="Always", ends_at=timezone.now() + timedelta(days=1))
    AlertSettings.load()
    schedule = BenchmarkSchedule.make([llm], name="x", prompt_pack="reasoning", every_hours=1)
    OwnPromptPack.objects.create(id="own", name="Own", prompt="Say it.", expected_tokens=5)
    rows: dict[str, Model] = {"rule": rule, "alert": make_alert(rule), "channel": make_channel()}
    rows |= {"silence": silence, "schedule": schedule, "run": make_run(llm), "round": make_round()}
    found = {name: str(row.pk) for name, row in rows.items()}
    return {"llm": str(llm.pk), "account": str(llm.account_id), "pack": "own", **found}
