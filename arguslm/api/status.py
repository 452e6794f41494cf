from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import redirect
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Root(APIView):
    """Says that something answers; a browser is sent to the operator pages."""

    authentication_classes: list[type] = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="root",
        responses=inline_serializer("RootStatus", {"status": serializers.CharField(default="ok")}),
    )
    def get(self, request: Request) -> HttpResponseBase:
        if "text/html" in request.headers.get("Accept", "") and request.path == "/":
            return redirect("dashboard:home")
        return Response({"status": "ok"})


class Health(APIView):
    authentication_classes: list[type] = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="health",
        responses=inline_serializer(
            "HealthStatus", {"status": serializers.CharField(default="healthy")}
        ),
    )
    def get(self, request: Request) -> Response:
        return Response({"status": "healthy"})
