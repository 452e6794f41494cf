from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request


class Input(serializers.Serializer[Any]):
    """A request body. A field nobody knows is an error: a typo must not look like success.

    Fields of the response that cannot be written (`read_only_names`) are accepted and ignored,
    so that what was read may be sent back.
    """

    read_only_names: tuple[str, ...] = ()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = [*self.fields, *self.read_only_names]
            unknown = [name for name in data if name not in known]
            if unknown:
                fields = f"Known: {', '.join(self.fields)}." if self.fields else "None is taken."
                sentence = f"There is no such field. {fields}"
                raise serializers.ValidationError({name[:100]: [sentence] for name in unknown[:5]})
        return super().to_internal_value(data)


def refuse_body(request: Request) -> None:
    """For actions without input: they would do something else than a body asks for."""
    Input(data=request.data).is_valid(raise_exception=True)
