"""What `make demo` shows: simulated providers as accounts, monitored each minute, with rules."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils import timezone

from alerts.models import AlertRule
from models_app.discovery import refresh
from models_app.models import LLM
from monitoring.models import MonitoringConfig
from providers.models import ProviderAccount


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """`path` leads from the simulator's address to the wire of `provider_type`."""

    provider_type: str
    display_name: str
    path: str
    monitored: tuple[str, ...]


ACCOUNTS = (
    DemoAccount(
        "custom_openai_compatible",
        "Demo gateway",
        "/v1",
        ("sim-fast", "sim-steady", "sim-slow", "sim-flaky", "sim-drifting", "sim-down"),
    ),
    DemoAccount("anthropic", "Demo messages", "", ("sim-steady", "sim-reasoning")),
    DemoAccount("ollama", "Demo local server", "", ("sim-batched",)),
)
RULES = {
    "Any model down": AlertRule.Type.ANY_MODEL_DOWN,
    "A model became slow": AlertRule.Type.PERFORMANCE_DEGRADATION,
}


def seed(simulator_url: str) -> None:
    """Makes the accounts or leads them to the simulator's new address; can be repeated."""
    new = [demo for demo in ACCOUNTS if _seed_account(demo, simulator_url)]
    # All at once, so that the first round has every account.
    for demo in new:
        mine = LLM.objects.filter(account__display_name=demo.display_name)
        mine.filter(upstream_id__in=demo.monitored).update(enabled_for_monitoring=True)
    if new:
        for name, rule_type in RULES.items():
            AlertRule.objects.get_or_create(name=name, defaults={"rule_type": rule_type})
        MonitoringConfig.load().change(timezone.now(), interval_minutes=1)


def last_port() -> int:
    """Where the simulator of the last demo listened; 0 when there was none."""
    account = ProviderAccount.objects.filter(display_name=ACCOUNTS[0].display_name).first()
    address = account.base_url if account else None
    return (urlsplit(address).port or 0) if address else 0


def _seed_account(demo: DemoAccount, simulator_url: str) -> bool:
    """Whether the account is new."""
    account = ProviderAccount.objects.filter(display_name=demo.display_name).first()
    is_new = account is None
    account = account or ProviderAccount(
        provider_type=demo.provider_type, display_name=demo.display_name
    )
    account.seal({"api_key": "demo-key-of-the-simulator", "base_url": simulator_url + demo.path})
    account.save()
    refresh(account)
    return is_new
