"""LLMs and results for the tests of benchmarks."""

from __future__ import annotations

from typing import Any

from benchmarks.models import BenchmarkResult, BenchmarkRun
from models_app.models import LLM
from providers.simulator import Simulator
from tests.make import make_account, make_llm, make_result

FAST = "sim:ttft=2,gap=0.5,tokens=6"
FIGURES = {
    "ttft_ms": 100.0,
    "total_latency_ms": 1100.0,
    "tps": 50.0,
    "tps_excluding_ttft": 55.0,
    "input_tokens": 12,
    "output_tokens": 55,
    "token_source": "usage",
}


def make_simulated_llm(simulator: Simulator, upstream_id: str = FAST, **fields: Any) -> LLM:
    credentials = {"base_url": f"{simulator.base_url}/v1", "api_key": "sk-test-key"}
    account = make_account(credentials, provider_type="custom_openai_compatible")
    return make_llm(account, upstream_id, **fields)


def make_good(run: BenchmarkRun, llm: LLM, **fields: Any) -> BenchmarkResult:
    return make_result(run, llm, **{**FIGURES, **fields})


def make_bad(run: BenchmarkRun, llm: LLM, **fields: Any) -> BenchmarkResult:
    refusal = {"error": "The provider answered 503.", "error_class": "server_error"}
    return make_result(run, llm, **{**refusal, **fields})
