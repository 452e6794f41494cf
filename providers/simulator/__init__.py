"""Language models with chosen timing and failures, over real sockets, with true write times."""

from __future__ import annotations

from providers.simulator.behaviour import FAILURES, Behaviour, BehaviourError
from providers.simulator.catalogue import DEFAULT_MODELS, load_models
from providers.simulator.config import SimulatorConfig
from providers.simulator.hosting import loop_factory, running_simulator
from providers.simulator.journal import RequestRecord
from providers.simulator.naming import behaviour_from, behaviour_named
from providers.simulator.server import Simulator

__all__ = [
    "DEFAULT_MODELS",
    "FAILURES",
    "Behaviour",
    "BehaviourError",
    "RequestRecord",
    "Simulator",
    "SimulatorConfig",
    "behaviour_from",
    "behaviour_named",
    "load_models",
    "loop_factory",
    "running_simulator",
]
