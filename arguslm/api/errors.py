"""Every error leaves as `{"detail": "<sentence>", "errors": {field: [sentence, …]}}`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError
from django.db.models import ProtectedError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler

log = logging.getLogger(__name__)

NON_FIELD = "non_field_errors"
MOST_ERRORS = 20
LONGEST_NAME = 200
LONGEST_TEXT = 1000


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooMany(APIException):
    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many"


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exc, ProtectedError):
        exc = Conflict(_history_sentence(exc))
    elif _came_too_late(exc):
        log.warning("Refused by the database: %s", exc, exc_info=exc)
        exc = Conflict("What this request names has just been changed: look and send it again.")
    elif isinstance(exc, Http404):
        exc = _not_found(exc)
    elif isinstance(exc, PermissionDenied):
        exc = APIException("You may not do this.")
        exc.status_code = status.HTTP_403_FORBIDDEN
    response = drf_handler(exc, context)
    if response is None:
        return None
    response.data = body_of(exc)
    return response


def body_of(exc: Exception) -> dict[str, Any]:
    if isinstance(exc, ValidationError):
        errors = dict(islice(_bounded(flatten(exc.detail)), MOST_ERRORS))
        general = errors.pop(NON_FIELD, [])
        return {"detail": _sentence(general, errors), "errors": errors}
    detail = exc.detail if isinstance(exc, APIException) else exc
    return {"detail": _shortened(str(detail)), "errors": {}}


def _bounded(errors: dict[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Errors quote what was sent, and a client may send anything of any size."""
    for field, texts in errors.items():
        yield field[:LONGEST_NAME], [_shortened(text) for text in texts[:MOST_ERRORS]]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def flatten(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Nested DRF errors as one level: `{"model_ids.1": ["Must be a valid UUID."]}`."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            for name, texts in flatten(value, _join(path, str(key))).items():
                found.setdefault(name, []).extend(texts)
        return found
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        return flatten({str(i): item for i, item in enumerate(detail) if item}, path)
    texts = detail if isinstance(detail, list) else [detail]
    return {path or NON_FIELD: [str(text) for text in texts]}


def _join(path: str, key: str) -> str:
    if key == NON_FIELD:
        return path or key
    return f"{path}.{key}" if path else key


def _sentence(general: list[str], errors: dict[str, list[str]]) -> str:
    parts = general + [f"{field}: {texts[0]}" for field, texts in errors.items()]
    return " ".join(parts[:5]) or "The request is not valid."


def _history_sentence(exc: ProtectedError) -> str:
    kinds = sorted({str(row._meta.verbose_name_plural) for row in exc.protected_objects})
    return f"It cannot be deleted: its history is still needed ({', '.join(kinds)})."


def _came_too_late(exc: Exception) -> bool:
    """Whether a row came or went between our look and our write."""
    # Django's own word for a row that is to be updated and is gone; databases have subclasses.
    is_gone = type(exc) is DatabaseError and exc.__cause__ is None
    return is_gone or isinstance(exc, IntegrityError)


def _not_found(exc: Http404) -> APIException:
    # get_object_or_404 says "No LLM matches the given query."; a 404 raised by us has a sentence.
    text = str(exc)
    plain = "Nothing was found at this address."
    error = APIException(plain if not text or "matches the given query" in text else text)
    error.status_code = status.HTTP_404_NOT_FOUND
    return error


def _plain(code: int, detail: str) -> JsonResponse:
    return JsonResponse({"detail": detail, "errors": {}}, status=code)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return _plain(404, f"There is nothing at {request.path[:200]}.")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return _plain(400, "The request is not valid: check the host name and the size of the body.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return _plain(403, "You may not do this.")


def server_error(request: HttpRequest) -> JsonResponse:
    return _plain(500, "ArgusLM failed on this request; its log has the reason.")
