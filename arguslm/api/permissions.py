from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from arguslm.api.access import is_open_to
from arguslm.api.models import ApiToken

if TYPE_CHECKING:
    from rest_framework.views import APIView


class TokenNeeded(NotAuthenticated):
    default_detail = "An API token is needed: send it as 'Authorization: Bearer <token>'."


class ApiAccess(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiToken) or request.user.is_staff:
            return True
        names = {name.lower() for name in request.headers}
        if not is_open_to(request.META.get("REMOTE_ADDR"), names):
            raise TokenNeeded
        return True
