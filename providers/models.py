from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import models
from django.utils import timezone

from arguslm.api.ids import new_id
from providers import secrets
from providers.adapters import Endpoint
from providers.credentials import PublicView, public_view
from providers.endpoints import resolve


class ProviderAccount(models.Model):
    """An account at a provider. Its credentials exist in clear only in memory."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider_type = models.CharField(max_length=50)
    display_name = models.CharField(max_length=255)
    enabled = models.BooleanField(default=True)
    credentials_encrypted = models.TextField(editable=False)
    # What the provider taught us, e.g. {"stream_options": false}: it is asked so from then on.
    quirks = models.JSONField(default=dict, editable=False)
    concurrency_limit = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Probes at the same time; empty: the global setting."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                name="provider_concurrency_positive",
                condition=models.Q(concurrency_limit=None) | models.Q(concurrency_limit__gte=1),
            )
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def credentials(self) -> dict[str, Any]:
        return secrets.decrypt(self.credentials_encrypted)

    def seal(self, clear: Mapping[str, Any]) -> None:
        """Puts the encrypted form of `clear` on the row; the caller saves."""
        self.credentials_encrypted = secrets.encrypt(clear)

    @property
    def base_url(self) -> str | None:
        return self._public["base_url"]

    @property
    def region(self) -> str | None:
        return self._public["region"]

    @property
    def _public(self) -> PublicView:
        try:
            return public_view(self.provider_type, self.credentials)
        except secrets.Undecryptable:
            return {"base_url": None, "region": None}

    @property
    def endpoint(self) -> Endpoint:
        known = resolve(self.provider_type, self.credentials)
        return replace(known, identity=str(self.pk), **self.quirks)

    def learn(self, **quirks: Any) -> None:
        """Remembers how this provider wants to be asked, unless the credentials are others by now
        and another server may have been meant."""
        learnt = {**self.quirks, **quirks}
        same = type(self).objects.filter(
            pk=self.pk, credentials_encrypted=self.credentials_encrypted
        )
        if same.update(quirks=learnt, updated_at=timezone.now()):
            self.quirks = learnt
