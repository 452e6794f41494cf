"""The three flows through the published client, unmodified, against the server as it is started."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from uuid import uuid4

import pytest

from providers.simulator import Behaviour, Simulator
from tests.e2e.conftest import KEY, eventually
from tests.e2e.published import ClientError, PublishedClient

ROUNDS: set[str] = set()
HEALTHY = Behaviour(ttft_ms=20, gap_ms=1, tokens=20)


def body(url: str, name: str, key: str = KEY) -> dict[str, Any]:
    return {
        "provider_type": "custom_openai_compatible",
        "display_name": name,
        "credentials": {"api_key": key, "base_url": f"{url}/v1"},
    }


def make_provider(client: PublishedClient, url: str) -> str:
    """A new account whose models are known."""
    made = client.call("create_provider", ProviderCreate=body(url, f"Simulated {uuid4().hex[:6]}"))
    assert client.call("refresh_provider_models", made["id"])["success"]
    return str(made["id"])


def models_of(client: PublishedClient, provider: str) -> dict[str, dict[str, Any]]:
    listed = client.call("list_models", provider_id=provider, limit=500)["items"]
    return {model["model_id"]: model for model in listed}


def test_a_connection_test_says_why_it_failed_and_never_the_key(
    client: PublishedClient, simulator: Simulator
) -> None:
    asked = body(simulator.base_url, "Before saving", key="sk-wrong-key-9876543210")
    refused = client.call("test_provider_connection", ProviderCreate=asked)
    assert not refused["success"]
    assert refused["details"]["error_class"] == "auth"
    assert "9876543210" not in str(refused)


def test_a_provider_is_discovered_changed_and_deleted(
    client: PublishedClient, simulator: Simulator
) -> None:
    provider = make_provider(client, simulator.base_url)
    tested = client.call("test_existing_provider", provider)
    assert tested["success"], tested
    models = models_of(client, provider)
    assert {"sim-fast", "sim-down"} <= set(models)
    assert not any(model["enabled_for_monitoring"] for model in models.values())
    assert all(model["enabled_for_benchmark"] for model in models.values())
    changed = client.call("update_provider", provider, ProviderUpdate={"display_name": "Renamed"})
    assert changed["display_name"] == "Renamed"
    client.call("delete_provider", provider)
    listed = client.call("list_providers")["providers"]
    assert provider not in {each["id"] for each in listed}


def test_a_benchmark_is_run_and_exported(client: PublishedClient, simulator: Simulator) -> None:
    provider = make_provider(client, simulator.base_url)
    models = models_of(client, provider)
    ids = [models[name]["id"] for name in ("sim-fast", "sim-down")]
    asked = {"model_ids": ids, "prompt_pack": "health_check", "num_runs": 2}
    run_id = client.call("start_benchmark", BenchmarkCreate=asked)["id"]
    run = eventually(lambda: ended(client.call("get_benchmark", run_id)))
    assert (run["status"], run["result_count"], len(run["results"])) == ("completed", 4, 4)
    assert run["statistics"]["ttft_p50"] > 0
    assert {each["model_id"] for each in run["results"] if each["error"]} == {ids[1]}
    assert client.call("get_benchmark_results", run_id)["total"] == 4
    assert run_id in {each["id"] for each in client.call("list_benchmarks")["runs"]}
    exported = json.loads(client.call("export_benchmark", run_id))
    assert len(exported["results"]) == 4
    table = client.call("export_benchmark", run_id, format="csv")
    assert {row["model_name"] for row in csv.DictReader(io.StringIO(table))} == {
        "sim-fast",
        "sim-down",
    }
    with pytest.raises(ClientError) as refusal:
        client.call("delete_provider", provider)
    assert refusal.value.kind == "ConflictError"


def ended(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["status"] in ("completed", "failed") else None


def test_a_benchmark_is_watched_live(server_url: str, simulator: Simulator) -> None:
    with PublishedClient(server_url, "async") as client:
        provider = make_provider(client, simulator.base_url)
        ids = [models_of(client, provider)[name]["id"] for name in ("sim-fast", "sim-steady")]
        asked = {"model_ids": ids, "prompt_pack": "health_check", "num_runs": 3}
        run_id = client.call("start_benchmark", BenchmarkCreate=asked)["id"]
        messages = client.call("stream_benchmark", run_id)
        late = client.call("stream_benchmark", run_id)
    kinds = [message["type"] for message in messages]
    assert (kinds[0], kinds[-1], kinds.count("result")) == ("progress", "complete", 6)
    result = next(message for message in messages if message["type"] == "result")
    assert result["data"]["ttft_ms"] == result["ttft_ms"] > 0
    assert [m["seq"] for m in late] == sorted({m["seq"] for m in messages})


def test_an_outage_becomes_an_alert_that_is_acknowledged_and_kept(
    client: PublishedClient, simulator: Simulator
) -> None:
    name = f"mortal-{uuid4().hex[:6]}"
    simulator.set_behaviour(name, HEALTHY)
    provider = make_provider(client, simulator.base_url)
    model = models_of(client, provider)[name]["id"]
    client.call("update_model", model, ModelUpdate={"enabled_for_monitoring": True})
    asked = {"name": name, "rule_type": "specific_model_down", "target_model_id": model}
    rule = client.call("create_alert_rule", AlertRuleCreate=asked)["id"]
    before = client.call("get_unread_alert_count")["count"]
    assert next_check(client, model)["status"] == "up"
    simulator.set_behaviour(name, Behaviour(failure="status-503"))
    down = next_check(client, model)
    assert (down["status"], down["ttft_ms"]) == ("down", None)
    alert = eventually(lambda: alerts_of(client, rule))[0]
    assert (alert["model_id"], alert["acknowledged"]) == (model, False)
    assert client.call("get_unread_alert_count")["count"] == before + 1
    assert client.call("acknowledge_alert", alert["id"])["acknowledged"]
    assert client.call("get_recent_alerts")["total_unread"] == before
    simulator.set_behaviour(name, HEALTHY)
    assert next_check(client, model)["status"] == "up"
    client.call("delete_alert_rule", rule)
    assert [each["id"] for each in alerts_of(client, rule)] == [alert["id"]]
    exported = client.call("export_uptime_history", format="csv", model_id=model)
    statuses = [row["status"] for row in csv.DictReader(io.StringIO(exported))]
    assert statuses == ["up", "down", "up"]
    client.call("update_model", model, ModelUpdate={"enabled_for_monitoring": False})


def alerts_of(client: PublishedClient, rule: str) -> list[dict[str, Any]]:
    listed = client.call("list_alerts", limit=500)["items"]
    return [alert for alert in listed if alert["rule_id"] == rule]


def next_check(client: PublishedClient, model: str) -> dict[str, Any]:
    """Runs a new round by hand and waits for the check it writes."""
    known = client.call("get_uptime_history", model_id=model)["total"]

    # While the round before is still being closed, its id is answered instead of a new one.
    def started() -> str | None:
        run_id = str(client.call("run_monitoring")["run_id"])
        return run_id if run_id not in ROUNDS else None

    ROUNDS.add(eventually(started, 60))

    def new() -> dict[str, Any] | None:
        history = client.call("get_uptime_history", model_id=model)
        return dict(history["items"][0]) if history["total"] > known else None

    return eventually(new, 60)


def test_every_list_of_a_new_installation_can_be_read(client: PublishedClient) -> None:
    assert client.call("get_provider_catalog")["total"] == 105
    assert len(client.call("list_prompt_packs")) >= 7
    assert client.call("get_monitoring_config")["prompt_pack"] == "health_check"
    assert client.call("list_models")["limit"] == 100
    assert client.call("list_alerts", acknowledged=False)["limit"] == 50
    assert client.call("list_alert_rules") is not None


def test_the_client_may_name_its_token_in_the_address_for_the_stream_too(
    server_url: str, token: str, simulator: Simulator
) -> None:
    with PublishedClient(server_url.replace("//", f"//any:{token}@"), "async") as client:
        provider = make_provider(client, simulator.base_url)
        model = models_of(client, provider)["sim-fast"]["id"]
        asked = {"model_ids": [model], "prompt_pack": "health_check", "num_runs": 1}
        run_id = client.call("start_benchmark", BenchmarkCreate=asked)["id"]
        assert client.call("stream_benchmark", run_id)[-1]["type"] == "complete"
    with PublishedClient(server_url.replace("//", "//any:argus_unknown@")) as stranger:
        with pytest.raises(ClientError) as refusal:
            stranger.call("list_providers")
        assert refusal.value.kind == "AuthenticationError"
