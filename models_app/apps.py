from __future__ import annotations

from django.apps import AppConfig


class ModelsConfig(AppConfig):
    name = "models_app"
    verbose_name = "Models"

    def ready(self) -> None:
        from models_app import receivers  # noqa: F401 - connects them
