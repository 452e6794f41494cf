from __future__ import annotations

from arguslm.embedded import programs
from arguslm.embedded.management.commands import up


class Command(up.Command):
    help = "Runs the server as `up` does, with simulated providers beside it."
    extra = (programs.simulated_models,)
    next_step = "watch the simulated providers at {url}/overview"
