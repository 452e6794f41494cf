from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from providers import credentials, secrets
from providers.catalog import CATALOG
from providers.models import ProviderAccount
from providers.signals import account_created


class AccountForm(forms.ModelForm[ProviderAccount]):
    """Credentials go in and never come out: the field is empty when the page opens."""

    provider_type = forms.ChoiceField(
        choices=[(spec.id, spec.label) for spec in CATALOG.values() if spec.supported]
    )
    new_credentials = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text=(
            'A JSON object such as {"api_key": "…", "base_url": "…"}. On an existing account the '
            "named fields are replaced, null removes one, and an empty box changes nothing."
        ),
    )

    class Meta:
        model = ProviderAccount
        fields = ["provider_type", "display_name", "enabled", "concurrency_limit"]

    def clean_new_credentials(self) -> dict[str, Any]:
        try:
            given = json.loads(self.cleaned_data["new_credentials"] or "{}")
        except (ValueError, RecursionError) as exc:
            raise forms.ValidationError("This is not valid JSON.") from exc
        if not isinstance(given, dict):
            raise forms.ValidationError("Write a JSON object, in braces.")
        return given

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        kind, given = cleaned["provider_type"], cleaned["new_credentials"]
        errors: dict[str, list[str]] = {}
        if self.instance.credentials_encrypted:
            given, errors = credentials.merge(kind, _stored(self.instance), given)
        errors = errors or credentials.credential_errors(kind, given)
        for name, texts in errors.items():
            self.add_error("new_credentials", f"{name}: {' '.join(texts)}")
        cleaned["new_credentials"] = given
        return cleaned

    def save(self, commit: bool = True) -> ProviderAccount:
        self.instance.seal(self.cleaned_data["new_credentials"])
        self.instance.quirks = {}
        return super().save(commit)


def _stored(account: ProviderAccount) -> dict[str, Any]:
    try:
        return account.credentials
    except secrets.Undecryptable:
        return {}


@admin.register(ProviderAccount)
class ProviderAccountAdmin(admin.ModelAdmin[ProviderAccount]):
    form = AccountForm
    list_display = ["display_name", "provider_type", "address", "enabled", "created_at"]
    list_filter = ["enabled", "provider_type"]
    search_fields = ["display_name", "provider_type"]
    ordering = ["display_name"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: ProviderAccount | None = None
    ) -> list[str]:
        return ["id", "address", "quirks", "created_at", "updated_at"] if obj else []

    @admin.display(description="Address", empty_value="default")
    def address(self, account: ProviderAccount) -> str | None:
        return account.base_url or account.region

    def save_model(
        self, request: HttpRequest, obj: ProviderAccount, form: forms.ModelForm[Any], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            account_created.send_robust(ProviderAccount, account_id=obj.pk)
