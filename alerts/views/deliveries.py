from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from alerts import delivery
from alerts.models import Delivery
from alerts.serializers.deliveries import (
    DeliveryDetail,
    DeliveryList,
    DeliveryOutput,
    DeliveryQuery,
)
from alerts.views.channels import page
from arguslm.api import queries
from arguslm.api.serializers import refuse_body


class DeliveryViewSet(GenericViewSet[Delivery]):
    queryset = Delivery.objects.select_related("message", "channel").order_by("-seq")
    serializer_class = DeliveryOutput
    pagination_class = None
    lookup_field = "id"

    @extend_schema(parameters=[DeliveryQuery], responses=DeliveryList)
    def list(self, request: Request) -> Response:
        query = queries.read(DeliveryQuery, request)
        rows = self.get_queryset().defer("message__payload")
        filters = {
            "channel_id": "channel_id",
            "status": "status",
            "alert_id": "message__events__alert",
        }
        for name, column in filters.items():
            if query.get(name) is not None:
                rows = rows.filter(**{column: query[name]})
        return Response(DeliveryList(page(request, DeliveryQuery, rows.distinct())).data)

    @extend_schema(responses=DeliveryDetail)
    def retrieve(self, request: Request, id: UUID) -> Response:
        return Response(DeliveryDetail(self.get_object()).data)

    @extend_schema(request=None, responses=DeliveryOutput)
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, id: UUID) -> Response:
        """Sends it once more, under the same id."""
        refuse_body(request)
        found = self.get_object()
        found.redeliver()
        delivery.call_out_after_commit()
        return Response(DeliveryOutput(self.get_object()).data)
