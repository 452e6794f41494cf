from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import models
from django.utils import timezone

from arguslm.api.access import PREFIX
from arguslm.api.ids import new_id


def digest_of(token: str) -> str:
    # A token has 256 random bits, so a plain hash is enough: there is nothing to guess.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class ApiToken(models.Model):
    """A key for REST and WebSocket clients. Only its SHA-256 digest is stored."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=16, editable=False, help_text="First characters.")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(cls, name: str) -> tuple[ApiToken, str]:
        """Creates a token; the plain text is returned once and never stored."""
        plain = PREFIX + secrets.token_urlsafe(32)
        return cls.objects.create(name=name, digest=digest_of(plain), hint=plain[:10]), plain

    @classmethod
    def find(cls, plain: str) -> ApiToken | None:
        return cls.objects.filter(digest=digest_of(plain)).first()

    def note_use(self) -> None:
        """Keeps `last_used_at` true to the minute without a write for each request."""
        now = timezone.now()
        stale = now - timedelta(minutes=1)
        ApiToken.objects.filter(pk=self.pk).filter(
            models.Q(last_used_at=None) | models.Q(last_used_at__lt=stale)
        ).update(last_used_at=now)
