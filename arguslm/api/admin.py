from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from arguslm.api.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Tokens are made by `manage.py token create`, because only it can show them."""

    list_display = ["name", "hint", "created_at", "last_used_at"]
    search_fields = ["name"]
    readonly_fields = ["hint", "created_at", "last_used_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
