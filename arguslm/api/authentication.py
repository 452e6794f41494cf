from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from arguslm.api.access import token_in
from arguslm.api.models import ApiToken


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer argus_…`. A wrong token is refused even where none is needed."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiToken] | None:
        plain = token_in(request.headers.get("Authorization", ""))
        if plain is None:
            return None
        token = ApiToken.find(plain)
        if token is None:
            raise AuthenticationFailed("This API token is not known here.")
        token.note_use()
        return AnonymousUser(), token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
