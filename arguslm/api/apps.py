from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "arguslm.api"
    label = "api"
    verbose_name = "API access"

    def ready(self) -> None:
        from arguslm.api import checks, sqlite  # noqa: F401 - register themselves
