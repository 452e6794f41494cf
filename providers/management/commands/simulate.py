from __future__ import annotations

import asyncio
import gc
import json
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.simulator import (
    DEFAULT_MODELS,
    Behaviour,
    BehaviourError,
    Simulator,
    SimulatorConfig,
    load_models,
    loop_factory,
)


class Command(BaseCommand):
    help = "Serve simulated models on the OpenAI and Anthropic wires, and log true write times."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=9900, help="0 takes a free port")
        parser.add_argument("--log", type=Path, help="append one JSON line per request here")
        parser.add_argument("--models", type=Path, help="JSON file: name to behaviour fields")
        parser.add_argument("--require-key", action="append", default=[], metavar="KEY")

    def handle(self, *args: Any, **options: Any) -> None:
        config = SimulatorConfig(
            models=_models(options["models"]),
            api_keys=frozenset(options["require_key"]),
            log_path=options["log"],
        )
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._serve(Simulator(config), options["host"], options["port"]))

    async def _serve(self, simulator: Simulator, host: str, port: int) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        try:
            await simulator.start(host, port)
        except OSError as exc:
            raise CommandError(
                f"Cannot listen on {host} port {port}, or write the log: {exc}"
            ) from exc
        gc.collect()
        gc.freeze()
        self.stdout.write(_welcome(simulator))
        self.stdout.flush()
        await stopped.wait()
        await simulator.stop()


def _models(path: Path | None) -> dict[str, Behaviour]:
    if path is None:
        return dict(DEFAULT_MODELS)
    try:
        return load_models(path)
    except (OSError, BehaviourError) as exc:
        raise CommandError(str(exc)) from exc


def _welcome(simulator: Simulator) -> str:
    url = simulator.base_url
    names = simulator.models()
    key = "<KEY>" if simulator.config.api_keys else "any"
    say = [{"role": "user", "content": "Count from 1 to 20."}]
    openai = json.dumps({"model": (names or ["sim:"])[0], "stream": True, "messages": say})
    asked = {"model": "sim:ttft=300,gap=40,tokens=12", "max_tokens": 100, "stream": True}
    return "\n".join(
        [
            f"Simulated models at {url} (OpenAI: {url}/v1, Anthropic: {url}, Ollama: {url})",
            *(f"  {name}" for name in names),
            "  sim:ttft=200,gap=20,tokens=50,chunk=1,fail=status-503  (any mix, by name)",
            f"curl -N {url}/v1/chat/completions -H 'Authorization: Bearer {key}' -d '{openai}'",
            f"curl -N {url}/v1/messages -H 'x-api-key: {key}' "
            f"-d '{json.dumps({**asked, 'messages': say})}'",
        ]
    )
