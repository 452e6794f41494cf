from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from alerts import delivery
from alerts.announcements import announce_after_commit
from alerts.letters import payload_of
from alerts.models import AlertSettings, Channel
from alerts.models.channels import OLD_SECRET_LIVES
from alerts.serializers.alerts import PageQuery
from alerts.serializers.channels import (
    ChannelInput,
    ChannelList,
    ChannelMade,
    ChannelOutput,
    ChannelPatch,
    NewSecret,
    SettingsOutput,
    SettingsPatch,
    TestResult,
)
from alerts.templates import TEST_TEXT
from alerts.topics import Topic
from arguslm.api import queries
from arguslm.api.errors import Conflict
from arguslm.api.ids import new_id
from arguslm.api.serializers import refuse_body


def page(request: Request, query: type, rows: Any) -> dict[str, Any]:
    asked = queries.read(query, request)
    limit, offset = asked["limit"], asked["offset"]
    items, total = queries.take(rows, limit=limit, offset=offset)
    return {"items": items, "total": total, "limit": limit, "offset": offset}


class ChannelViewSet(GenericViewSet[Channel]):
    queryset = Channel.objects.prefetch_related("rules").order_by("created_at", "id")
    serializer_class = ChannelOutput
    pagination_class = None

    @extend_schema(parameters=[PageQuery], responses=ChannelList)
    def list(self, request: Request) -> Response:
        return Response(ChannelList(page(request, PageQuery, self.get_queryset())).data)

    @extend_schema(request=ChannelInput, responses={201: ChannelMade})
    def create(self, request: Request) -> Response:
        reader = ChannelInput(data=request.data)
        reader.is_valid(raise_exception=True)
        channel = reader.save()
        shown = {"signing_secret": reader.fresh_secret}
        return Response(ChannelMade(channel, context=shown).data, status=201)

    @extend_schema(responses=ChannelOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(ChannelOutput(self.get_object()).data)

    @extend_schema(request=ChannelPatch, responses=ChannelOutput)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        writer = ChannelPatch(self.get_object(), data=request.data, partial=True)
        writer.is_valid(raise_exception=True)
        writer.save()
        announce_after_commit()
        return Response(ChannelOutput(self.get_object()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        self.get_object().retire()
        return Response(status=204)

    @extend_schema(request=None, responses=TestResult)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: UUID) -> Response:
        """Sends a test at once and says what the receiver made of it."""
        refuse_body(request)
        return Response(TestResult(send_test(self.get_object())).data)

    @extend_schema(request=None, responses=NewSecret)
    @action(detail=True, methods=["post"])
    def rotate_secret(self, request: Request, pk: UUID) -> Response:
        """A new signing secret; for a day messages are signed with the old one too."""
        refuse_body(request)
        channel = self.get_object()
        if channel.kind != Channel.Kind.WEBHOOK:
            raise Conflict("Only the messages of a webhook are signed.")
        until = timezone.now() + OLD_SECRET_LIVES
        body = {"signing_secret": channel.rotate_secret(), "old_secret_valid_until": until}
        return Response(NewSecret(body).data)


def send_test(channel: Channel) -> dict[str, Any]:
    payload = payload_of(
        Topic.TEST,
        TEST_TEXT.format(name=channel.name),
        scope="test",
        at=timezone.now(),
        link=f"{settings.PUBLIC_URL}/alerts",
    )
    answer, duration_ms = delivery.test(channel, payload, str(new_id()))
    return {
        "ok": answer.ok,
        "status_code": answer.status_code,
        "duration_ms": round(duration_ms, 1),
        "error": answer.error or None,
    }


class AlertSettingsView(APIView):
    @extend_schema(responses=SettingsOutput)
    def get(self, request: Request) -> Response:
        return Response(SettingsOutput(AlertSettings.load()).data)

    @extend_schema(request=SettingsPatch, responses=SettingsOutput)
    def patch(self, request: Request) -> Response:
        writer = SettingsPatch(AlertSettings.load(), data=request.data, partial=True)
        writer.is_valid(raise_exception=True)
        return Response(SettingsOutput(writer.save()).data)
