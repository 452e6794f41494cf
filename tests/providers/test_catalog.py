from __future__ import annotations

import importlib.util
import json
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

from providers.catalog import CATALOG, TESTED, ProviderSpec
from providers.endpoints import KEY_EXCHANGES, MODEL_LISTS
from providers.routes import ROUTES
from providers.targets import SHAPES

GOOGLE_BASE = "https://generativelanguage.googleapis.com/v1beta"
SPECS = list(CATALOG.values())
KNOWN_TO_ARGUSLM = {
    *("openai", "anthropic", "google_vertex", "google_ai_studio", "aws_bedrock", "azure_openai"),
    *("ollama", "lm_studio", "openrouter", "together_ai", "groq", "mistral", "xai"),
    *("fireworks_ai", "deepseek", "custom_openai_compatible"),
}


def published_schemas() -> ModuleType:
    """The provider schemas of the client on PyPI, whose package has the name of our project."""
    path = Path(sysconfig.get_path("purelib"), "arguslm", "schemas", "provider.py")
    found = importlib.util.spec_from_file_location("published_provider_schemas", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_it_holds_every_provider_of_the_collected_facts() -> None:
    assert len(CATALOG) == 105
    assert set(CATALOG) >= KNOWN_TO_ARGUSLM
    assert all(spec.id == provider_id for provider_id, spec in CATALOG.items())


def test_every_label_is_said_once() -> None:
    labels = [spec.label for spec in SPECS]

    assert len(set(labels)) == len(labels)


def test_what_arguslm_calls_tested_can_be_used_here() -> None:
    assert all(CATALOG[provider_id].supported for provider_id in KNOWN_TO_ARGUSLM)


def test_only_supported_providers_are_called_tested() -> None:
    assert all(CATALOG[provider_id].supported for provider_id in TESTED)


def test_each_entry_is_readable_by_the_published_client() -> None:
    response = published_schemas().ProviderSpecResponse
    for spec in SPECS:
        sent = json.loads(json.dumps(spec.public()))

        read = response.model_validate(sent).model_dump(mode="json")

        assert read.items() <= sent.items()


@pytest.mark.parametrize("spec", SPECS, ids=CATALOG)
def test_each_entry_is_complete(spec: ProviderSpec) -> None:
    names = [field.name for field in spec.credential_fields]

    assert len(set(names)) == len(names)
    assert spec.shape in SHAPES
    lists = {"models", "anthropic", "ollama_tags", "static", "none", "databricks", "watsonx"}
    assert spec.discovery in {*lists, *MODEL_LISTS}
    assert spec.routes in {None, *ROUTES}
    assert (spec.discovery == "static") == bool(spec.known_models)
    if spec.supported:
        assert spec.base_url_template
        assert spec.template_parts <= set(names)
        sent = {"bearer", "optional_bearer", "access_token", "api-key", "x-api-key"}
        assert spec.auth in {*sent, *KEY_EXCHANGES}


@pytest.mark.parametrize("spec", [s for s in SPECS if not s.supported], ids=lambda s: s.id)
def test_what_cannot_be_served_says_why_in_a_sentence(spec: ProviderSpec) -> None:
    reason = spec.unsupported_reason or ""

    assert reason[:1].isupper() or reason.startswith("watsonx")
    assert reason.endswith(".")
    assert 30 < len(reason) < 250


def test_a_form_can_be_made_of_the_fields() -> None:
    fields = {field.name: field for field in CATALOG["google_vertex"].credential_fields}

    assert list(fields)[:4] == ["api_key", "base_url", "region", "project"]
    assert fields["api_key"].secret
    assert fields["api_key"].label == "OAuth access token"
    assert fields["project"].required
    assert not fields["base_url"].required


def test_regions_are_offered_where_an_address_needs_one() -> None:
    for spec in SPECS:
        if spec.region_options:
            assert spec.requires_region
            assert "region" in spec.template_parts
            assert len({value for value, _ in spec.region_options}) == len(spec.region_options)


@pytest.mark.parametrize(
    ("provider_id", "expected"),
    [
        ("openai", {"default_base_url": "https://api.openai.com/v1", "show_org_fields": True}),
        ("ollama", {"default_base_url": "http://host.docker.internal:11434"}),
        ("ollama", {"requires_api_key": False, "requires_base_url": True}),
        ("google_ai_studio", {"default_base_url": GOOGLE_BASE}),
        ("aws_bedrock", {"requires_region": True, "default_base_url": None}),
        ("azure_openai", {"requires_base_url": True, "default_base_url": None}),
        ("custom_openai_compatible", {"requires_api_key": False, "requires_base_url": True}),
    ],
)
def test_known_facts_stand_in_the_entry(provider_id: str, expected: dict[str, object]) -> None:
    assert expected.items() <= CATALOG[provider_id].public().items()
