from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand

from arguslm.embedded.child import Program
from arguslm.embedded.console import Console
from arguslm.embedded.errors import StartRefused
from arguslm.embedded.server import run


class Command(BaseCommand):
    help = "Runs the whole server in the foreground: broker, web, worker and beat."
    # The start itself runs the checks, to answer with one sentence instead of a report.
    requires_system_checks = []
    # Programs that run beside the server's own.
    extra: ClassVar[Sequence[Callable[[], Program]]] = ()
    next_step = "add a provider at {url}/providers, or watch simulated ones: make demo"

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        colour = sys.stderr.isatty() and not options["no_color"]
        with closing(Console(settings.DATA_DIR / "logs", sys.stderr, colour)) as console:
            try:
                extra = [program() for program in self.extra]
                run(console, self.announce, extra=extra, next_step=self.next_step)
            except StartRefused as refusal:
                self.stderr.write(str(refusal))
                sys.exit(1)

    def announce(self, line: str) -> None:
        # Whoever waits for these lines through a pipe waits for no buffer.
        self.stdout.write(line)
        self.stdout.flush()
