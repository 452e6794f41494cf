from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arguslm.api.fields import Document, Flag, Text
from arguslm.api.queries import limit_field, offset_field
from arguslm.api.serializers import Input
from providers import credentials, secrets
from providers.models import ProviderAccount

READ_ONLY = ("id", "base_url", "region", "created_at", "updated_at")


class ProviderOutput(serializers.ModelSerializer[ProviderAccount]):
    base_url = serializers.CharField(read_only=True, allow_null=True)
    region = serializers.CharField(read_only=True, allow_null=True)

    class Meta:
        model = ProviderAccount
        fields = ["id", "provider_type", "display_name", "enabled", *READ_ONLY[1:]]


class ProviderList(serializers.Serializer[Any]):
    providers = ProviderOutput(many=True)
    total = serializers.IntegerField()


class ProviderQuery(serializers.Serializer[Any]):
    limit = limit_field(10_000, 10_000)
    offset = offset_field()


class ProviderInput(Input):
    """A new account, or the same fields for a connection test without one."""

    read_only_names = READ_ONLY

    provider_type = Text(max_length=50)
    display_name = Text(max_length=255)
    credentials = Document(default=dict, write_only=True)
    enabled = Flag(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        refuse(credentials.credential_errors(attrs["provider_type"], attrs["credentials"]))
        return attrs

    def create(self, validated_data: dict[str, Any]) -> ProviderAccount:
        clear = validated_data.pop("credentials")
        account = ProviderAccount(**validated_data)
        account.seal(clear)
        account.save()
        return account


class ProviderPatch(Input):
    read_only_names = (*READ_ONLY, "provider_type")

    display_name = Text(max_length=255, required=False)
    credentials = Document(required=False, write_only=True)
    enabled = Flag(required=False)

    def validate_credentials(self, patch: dict[str, Any]) -> dict[str, Any]:
        """The stored credentials with `patch` over them; null removes a field."""
        account = self.instance
        assert isinstance(account, ProviderAccount)
        try:
            stored = account.credentials
        except secrets.Undecryptable:
            stored = {}
        merged, errors = credentials.merge(account.provider_type, stored, patch)
        refuse(errors or credentials.credential_errors(account.provider_type, merged), nested=True)
        return merged

    def update(self, instance: ProviderAccount, validated_data: dict[str, Any]) -> ProviderAccount:
        changed = set(validated_data) - {"credentials"}
        if "credentials" in validated_data:
            instance.seal(validated_data.pop("credentials"))
            instance.quirks = {}
            changed |= {"credentials_encrypted", "quirks"}
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=[*changed, "updated_at"])
        return instance


def refuse(errors: dict[str, list[str]], *, nested: bool = False) -> None:
    """Raises what `credential_errors` found: by field, under `credentials` unless already there."""
    if not errors:
        return
    own = {name: texts for name, texts in errors.items() if name == "provider_type"}
    inner = {name: texts for name, texts in errors.items() if name != "provider_type"}
    if nested:
        raise serializers.ValidationError(errors)
    raise serializers.ValidationError(own | ({"credentials": inner} if inner else {}))


class CredentialFieldOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField(
        help_text="secret, text, url, host_label, path_part, headers, seconds or key_file"
    )
    secret = serializers.BooleanField(help_text="Never shown again.")
    required = serializers.BooleanField(  # type: ignore[assignment]
        help_text="A region or project only where no base URL is given."
    )


class ProviderSpecOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    tested = serializers.BooleanField()
    requires_api_key = serializers.BooleanField()
    requires_base_url = serializers.BooleanField()
    requires_region = serializers.BooleanField()
    show_org_fields = serializers.BooleanField()
    default_base_url = serializers.CharField(allow_null=True)
    api_key_label = serializers.CharField(allow_null=True)
    base_url_label = serializers.CharField(allow_null=True)
    region_options = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)
    )
    supported = serializers.BooleanField(help_text="Whether an account can be created.")
    unsupported_reason = serializers.CharField(allow_null=True)
    protocol = serializers.CharField()
    notes = serializers.CharField(help_text="For the person who fills in the form.")
    env_key = serializers.CharField(
        allow_null=True, help_text="The environment variable other tools read the key from."
    )
    credential_fields = CredentialFieldOutput(many=True)


@extend_schema_field(serializers.DictField(child=ProviderSpecOutput()))
class SpecMap(serializers.DictField):
    child = ProviderSpecOutput()


class Catalog(serializers.Serializer[Any]):
    providers = SpecMap()
    total = serializers.IntegerField()
    tested_count = serializers.IntegerField()
