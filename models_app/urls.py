from __future__ import annotations

from django.urls import path

from models_app.calibration_views import CalibrationView
from models_app.views import AccountActions, ModelViewSet

urlpatterns = [
    path("models", ModelViewSet.as_view({"get": "list", "post": "create"})),
    path("models/<uuid:pk>", ModelViewSet.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("calibration", CalibrationView.as_view()),
    path("providers/test-connection", AccountActions.as_view({"post": "test_new"})),
    path("providers/<uuid:pk>/test", AccountActions.as_view({"post": "test"})),
    path("providers/<uuid:pk>/refresh-models", AccountActions.as_view({"post": "refresh_models"})),
]
