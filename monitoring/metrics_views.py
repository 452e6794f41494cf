from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from monitoring.metrics import CONTENT_TYPE, metrics_text


class Metrics(APIView):
    """For Prometheus; the same token as for the API, where one is needed."""

    @extend_schema(operation_id="metrics", responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(metrics_text(timezone.now()), content_type=CONTENT_TYPE)
