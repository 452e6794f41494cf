from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError

from models_app.models import LLM
from providers.adapters import DiscoveredModel, list_models
from providers.errors import ExchangeFailed
from providers.loop import engine_loop
from providers.models import ProviderAccount
from providers.secrets import Undecryptable

LISTING_TIMEOUT_S = 25.0


def discover(account: ProviderAccount) -> int:
    """Asks the provider for its models and stores them; returns how many it named.

    Doing it again changes nothing that a person set: names and flags stay. A model that the
    provider no longer names keeps its row and its history. Raises ExchangeFailed.
    """
    loop = engine_loop()
    listing = list_models(account.endpoint, clients=loop.clients)
    found = loop.run(listing, timeout_s=LISTING_TIMEOUT_S)
    store(account, found)
    return len({model.upstream_id for model in found})


def store(account: ProviderAccount, found: list[DiscoveredModel]) -> None:
    rows = [
        LLM(
            account=account,
            upstream_id=model.upstream_id,
            source=LLM.Source.DISCOVERED,
            metadata=model.metadata,
        )
        for model in found
    ]
    LLM.objects.bulk_create(rows, ignore_conflicts=True, batch_size=200)


@dataclass(frozen=True, slots=True)
class Refreshed:
    success: bool
    models_discovered: int
    message: str


def refresh(account: ProviderAccount) -> Refreshed:
    """`discover`, with a failure as a sentence instead of an exception."""
    try:
        count = discover(account)
    except ExchangeFailed as exc:
        return Refreshed(False, 0, exc.failure.message)
    except Undecryptable as exc:
        return Refreshed(False, 0, str(exc))
    except TimeoutError:
        return Refreshed(False, 0, "The provider did not list its models in time.")
    except IntegrityError:
        return Refreshed(False, 0, "The account has been deleted meanwhile.")
    if count == 0:
        return Refreshed(True, 0, "The provider lists no models; add one by hand.")
    return Refreshed(True, count, f"The provider lists {count} models.")
