"""The OpenAPI description, where drf-spectacular cannot know what our views answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class Error(serializers.Serializer[Any]):
    detail = serializers.CharField(help_text="One sentence that says what is wrong.")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Sentences by field, when single fields are at fault.",
    )


class Schema(AutoSchema):
    def _is_list_view(self, serializer: Any = None) -> bool:
        """A list action answers with an object around its list, unless it says `many=True`."""
        if serializer is None:
            return super()._is_list_view()
        return isinstance(serializer, serializers.ListSerializer)

    def _get_response_bodies(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        bodies = super()._get_response_bodies(*args, **kwargs)
        refused = self._get_response_for_code(Error, "4XX")  # type: ignore[no-untyped-call]
        return {**bodies, "4XX": refused}
