from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from arguslm.api.models import ApiToken


class RecordAdmin(admin.ModelAdmin[Any]):
    """Rows that are a record: looked at, never written; they go with what they belong to."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Asked on an account's page as well, about what would be deleted along with it.
        match = request.resolver_match
        own_pages = f"{self.opts.app_label}_{self.opts.model_name}_"
        is_ours = match is not None and (match.url_name or "").startswith(own_pages)
        return not is_ours and super().has_delete_permission(request, obj)


class RecordInline(admin.TabularInline[Any, Any]):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Tokens are made by `manage.py token create`, because only it can show them."""

    list_display = ["name", "hint", "created_at", "last_used_at"]
    search_fields = ["name"]
    readonly_fields = ["hint", "created_at", "last_used_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
