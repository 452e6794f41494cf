from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from models_app.calibration import described, latest


class ScenarioOutput(serializers.Serializer[Any]):
    """Errors are those of the time to first token against the simulator's true write times."""

    streams = serializers.IntegerField(help_text="At the same time.")
    tokens_per_chunk = serializers.IntegerField()
    kind = serializers.CharField(help_text="plain, reasoning or stall")
    n = serializers.IntegerField(help_text="Streams compared.")
    bias_ms = serializers.FloatField(allow_null=True, help_text="Median error.")
    spread_ms = serializers.FloatField(
        allow_null=True, help_text="Half the width of the middle 90 % of the errors."
    )
    p99_ms = serializers.FloatField(allow_null=True, help_text="99 % of the errors are smaller.")
    server_p99_ms = serializers.FloatField(
        allow_null=True,
        help_text="The same against the simulator's own view, which leaves the way to it out.",
    )
    tpot_error = serializers.FloatField(allow_null=True, help_text="A share: 0.01 is 1 %.")
    are_tokens_exact = serializers.BooleanField()
    cpu_ms_per_1000_tokens = serializers.FloatField(allow_null=True)
    tokens_per_s = serializers.FloatField()
    lagged = serializers.IntegerField(help_text="Streams with the flag client_lag.")
    left_out = serializers.IntegerField(
        help_text="Streams whose true times the simulator itself did not know."
    )
    failed = serializers.IntegerField()


class CalibrationOutput(serializers.Serializer[Any]):
    """Without a calibration `message` says how to make one, and the figures are null.

    The four figures are those of 20 streams with one token per chunk.
    """

    calibrated = serializers.BooleanField()
    message = serializers.CharField(required=False, help_text="How to calibrate.")
    created_at = serializers.DateTimeField(required=False)
    quick = serializers.BooleanField(required=False)
    noisy = serializers.BooleanField(
        required=False, help_text="The machine was busy: the figures say more about that."
    )
    noise = serializers.ListField(child=serializers.CharField(), required=False)
    bias_ms = serializers.FloatField(required=False, allow_null=True)
    spread_ms = serializers.FloatField(required=False, allow_null=True)
    p99_ms = serializers.FloatField(required=False, allow_null=True)
    cpu_ms_per_1000_tokens = serializers.FloatField(required=False, allow_null=True)
    scenarios = ScenarioOutput(many=True, required=False)
    client = serializers.DictField(required=False, help_text="What was calibrated.")


class CalibrationView(APIView):
    @extend_schema(responses=CalibrationOutput, operation_id="v1_calibration_retrieve")
    def get(self, request: Request) -> Response:
        return Response(CalibrationOutput(described(latest())).data)
