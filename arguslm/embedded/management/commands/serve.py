from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arguslm.embedded.errors import StartRefused
from arguslm.embedded.listening import open_socket, url_of
from arguslm.embedded.web import Web


class Command(BaseCommand):
    help = "Serves REST, WebSockets and pages alone: the web process where `up` is not used."

    def handle(self, *args: Any, **options: Any) -> None:
        from arguslm.asgi import application

        try:
            listening = open_socket(settings.HOST, settings.PORT)
        except StartRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        with listening:
            self.stderr.write(f"Serving on {url_of(listening)}.")
            Web(application, listening.fileno()).run()
