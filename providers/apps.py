from __future__ import annotations

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    name = "providers"
    verbose_name = "Providers"

    def ready(self) -> None:
        from django.conf import settings

        from providers import checks  # noqa: F401 - registers them
        from providers.loop import use_proxy

        use_proxy(settings.PROVIDER_PROXY_URL or None)
