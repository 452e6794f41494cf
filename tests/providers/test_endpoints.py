from __future__ import annotations

from typing import Any

import pytest

from providers.adapters import Endpoint
from providers.catalog import CATALOG, ProviderSpec
from providers.endpoints import resolve
from providers.errors import ErrorClass, ExchangeFailed

KEY = "sk-test-0123456789"
PARTS = {
    "region": "eu-west-1",
    "project": "my-project",
    "account_id": "acc1",
    "resource": "my-resource",
    "endpoint": "my-endpoint",
    "tenant": "my-tenant",
    "deployment": "my-deployment",
}


def make_credentials(spec: ProviderSpec, **extra: Any) -> dict[str, Any]:
    """The least that the provider asks for."""
    needed = [field.name for field in spec.credential_fields if field.required]
    values = PARTS | {"api_key": KEY, "base_url": spec.default_base_url or "https://llm.example"}
    return {name: values[name] for name in needed} | extra


def resolved(provider_type: str, **extra: Any) -> Endpoint:
    return resolve(provider_type, make_credentials(CATALOG[provider_type], **extra))


@pytest.mark.parametrize("spec", [s for s in CATALOG.values() if s.supported], ids=lambda s: s.id)
def test_every_supported_provider_resolves_to_an_address(spec: ProviderSpec) -> None:
    endpoint = resolved(spec.id)

    assert endpoint.base_url.startswith(("https://", "http://"))
    assert "{" not in endpoint.base_url
    assert not endpoint.base_url.endswith("/")
    assert endpoint.provider_type == spec.id
    assert (KEY in endpoint.secrets) == spec.requires_api_key
    assert KEY not in repr(endpoint)


@pytest.mark.parametrize(
    ("provider_type", "base_url"),
    [
        ("openai", "https://api.openai.com/v1"),
        ("anthropic", "https://api.anthropic.com"),
        ("google_ai_studio", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("aws_bedrock", "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"),
        ("azure_openai", "https://llm.example/openai/v1"),
        ("ollama", "http://host.docker.internal:11434/v1"),
        ("lm_studio", "http://host.docker.internal:1234/v1"),
        ("deepseek", "https://api.deepseek.com"),
        ("custom_openai_compatible", "https://llm.example"),
        ("azure_ai", "https://my-resource.services.ai.azure.com/openai/v1"),
        ("cloudflare", "https://api.cloudflare.com/client/v4/accounts/acc1/ai/v1"),
        ("databricks", "https://llm.example/serving-endpoints"),
        ("gdc", "https://llm.example/v1/projects/my-project/locations/eu-west-1"),
        (
            "sagemaker",
            "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/my-endpoint/openai/v1",
        ),
        (
            "predibase",
            "https://serving.app.predibase.com/my-tenant/deployments/v2/llms/my-deployment/v1",
        ),
        ("oci", "https://inference.generativeai.eu-west-1.oci.oraclecloud.com/openai/v1"),
    ],
)
def test_the_address_without_wishes_is_the_vendors(provider_type: str, base_url: str) -> None:
    assert resolved(provider_type).base_url == base_url


@pytest.mark.parametrize(
    ("provider_type", "given", "base_url"),
    [
        ("openai", "https://proxy.example/v1/", "https://proxy.example/v1"),
        ("openai", "https://api.openai.com", "https://api.openai.com/v1"),
        ("openai", "https://proxy.example", "https://proxy.example"),
        ("groq", "HTTPS://API.groq.com:443/openai/v1", "https://api.groq.com/openai/v1"),
        ("openai", "http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        (
            "custom_openai_compatible",
            "http://10.0.0.7:8000/v1/chat/completions",
            "http://10.0.0.7:8000/v1",
        ),
        ("custom_openai_compatible", " http://my_service:8000/v1 ", "http://my_service:8000/v1"),
        ("ollama", "http://localhost:11434", "http://localhost:11434/v1"),
        ("ollama", "http://localhost:11434/v1/", "http://localhost:11434/v1"),
        ("ollama", "http://localhost:11434/api", "http://localhost:11434/v1"),
        ("ollama", "https://gate.example/ollama/", "https://gate.example/ollama/v1"),
        ("lm_studio", "http://localhost:1234", "http://localhost:1234/v1"),
        ("lm_studio", "http://localhost:1234/api/v0", "http://localhost:1234/api/v0"),
        ("lemonade", "http://localhost:8080", "http://localhost:8080/api/v1"),
        ("litellm_proxy", "http://localhost:4000", "http://localhost:4000"),
        ("anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com"),
        ("anthropic", "https://gate.example/claude/v1/messages", "https://gate.example/claude"),
        (
            "google_ai_studio",
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        (
            "google_ai_studio",
            "https://generativelanguage.googleapis.com",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        (
            "azure_ai",
            "https://r.services.ai.azure.com",
            "https://r.services.ai.azure.com/openai/v1",
        ),
        ("aws_bedrock", "https://gate.example/bedrock/v1", "https://gate.example/bedrock/v1"),
        (
            "databricks",
            "https://w.example/ai-gateway/mlflow/v1",
            "https://w.example/ai-gateway/mlflow/v1",
        ),
    ],
)
def test_a_given_address_is_brought_into_the_form_the_wire_needs(
    provider_type: str, given: str, base_url: str
) -> None:
    assert resolved(provider_type, base_url=given).base_url == base_url


def test_vertex_has_a_host_per_region_and_one_for_the_globe() -> None:
    tail = "/endpoints/openapi"

    regional = resolved("google_vertex", region="europe-west4")
    worldwide = resolve(
        "vertex_ai_beta", {"api_key": KEY, "location": "global", "project_id": "p1"}
    )

    assert regional.base_url == (
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/my-project"
        f"/locations/europe-west4{tail}"
    )
    assert worldwide.base_url == (
        f"https://aiplatform.googleapis.com/v1beta1/projects/p1/locations/global{tail}"
    )
    european = resolved("google_vertex", region="eu")
    assert european.base_url.startswith("https://aiplatform.eu.rep.googleapis.com/v1/projects/")
    assert regional.api_key == KEY
    assert regional.known_models[0].startswith("google/")


def test_a_base_url_stands_in_for_region_and_project() -> None:
    endpoint = resolve("google_vertex", {"api_key": KEY, "base_url": "https://gate.example/v1"})

    assert endpoint.base_url == "https://gate.example/v1"


@pytest.mark.parametrize(
    "given",
    [
        "https://r.openai.azure.com",
        "https://r.openai.azure.com/",
        "https://r.openai.azure.com/openai",
        "https://r.openai.azure.com/openai/v1/",
        "https://r.openai.azure.com/openai/v1/chat/completions",
    ],
)
def test_azure_without_a_version_is_the_v1_api(given: str) -> None:
    endpoint = resolved("azure_openai", base_url=given)

    assert endpoint.base_url == "https://r.openai.azure.com/openai/v1"
    assert endpoint.headers == {"api-key": KEY}
    assert endpoint.api_key is None
    assert endpoint.query == {}
    assert endpoint.models_url is None
    assert endpoint.token_param == "max_completion_tokens"


@pytest.mark.parametrize(
    ("given", "version"),
    [
        ("https://r.openai.azure.com", {"api_version": "2024-10-21"}),
        ("https://r.openai.azure.com/openai/", {"api_version": "2024-10-21"}),
        ("https://r.openai.azure.com?api-version=2024-10-21", {}),
        (
            "https://r.openai.azure.com/openai/deployments/gpt-4o/chat/completions"
            "?api-version=2024-10-21",
            {},
        ),
    ],
)
def test_azure_with_a_dated_version_has_the_deployment_in_the_url(
    given: str, version: dict[str, str]
) -> None:
    endpoint = resolved("azure_openai", base_url=given, **version)

    assert endpoint.base_url == "https://r.openai.azure.com/openai/deployments/{model}"
    assert endpoint.query == {"api-version": "2024-10-21"}
    assert endpoint.models_url == "https://r.openai.azure.com/openai/models"
    assert endpoint.token_param == "max_completion_tokens"


def test_an_old_azure_version_is_asked_with_max_tokens() -> None:
    endpoint = resolved("azure", api_version="2024-02-01")

    assert endpoint.token_param == "max_tokens"


def test_azure_previews_of_the_v1_api_keep_their_version() -> None:
    endpoint = resolved("azure_openai", api_version="preview")

    assert endpoint.base_url == "https://llm.example/openai/v1"
    assert endpoint.query == {"api-version": "preview"}


def test_organization_and_project_travel_as_headers() -> None:
    endpoint = resolved("openai", organization_id="org-1", project="proj_2")

    assert endpoint.headers == {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj_2"}


def test_headers_and_timeouts_of_the_account_reach_the_endpoint() -> None:
    endpoint = resolved(
        "custom_openai_compatible",
        headers={"X-Team": "blue "},
        connect_timeout_s=2,
        ttft_timeout_s=3.5,
        total_timeout_s=9,
    )

    assert endpoint.headers == {"X-Team": "blue"}
    timeouts = (endpoint.connect_timeout_s, endpoint.ttft_timeout_s, endpoint.total_timeout_s)
    assert timeouts == (2.0, 3.5, 9.0)


def test_the_query_of_a_base_url_goes_with_every_request() -> None:
    endpoint = resolved("custom_openai_compatible", base_url="https://gate.example/v1?tier=a%20b")

    assert endpoint.base_url == "https://gate.example/v1"
    assert endpoint.query == {"tier": "a b"}


def test_an_optional_key_is_sent_when_given() -> None:
    assert resolved("ollama").api_key is None
    assert resolved("ollama", api_key=KEY).api_key == KEY


@pytest.mark.parametrize(
    ("provider_type", "discovery", "models_url"),
    [
        ("openai", "models", None),
        ("anthropic", "models", None),
        ("perplexity", "none", None),
        ("ollama", "ollama_tags", "http://host.docker.internal:11434/api/tags"),
        ("github", "github", "https://models.github.ai/catalog/models"),
        (
            "aws_bedrock",
            "bedrock",
            "https://bedrock.eu-west-1.amazonaws.com/foundation-models?byOutputModality=TEXT",
        ),
    ],
)
def test_the_model_list_has_its_own_place(
    provider_type: str, discovery: str, models_url: str | None
) -> None:
    endpoint = resolved(provider_type)

    assert (endpoint.discovery, endpoint.models_url) == (discovery, models_url)


def test_vendors_that_refuse_stream_options_are_not_sent_them() -> None:
    refusing = {s.id for s in CATALOG.values() if s.supported and not resolved(s.id).stream_options}

    assert refusing == {
        *("mistral", "codestral", "text-completion-codestral", "cohere", "cohere_chat"),
        *("watsonx", "watsonx_text", "gigachat"),
    }


def test_openai_is_asked_with_max_completion_tokens() -> None:
    assert resolved("openai").token_param == "max_completion_tokens"
    assert resolved("groq").token_param == "max_tokens"


@pytest.mark.parametrize(
    ("provider_type", "credentials", "sentence"),
    [
        ("openai", {}, "OpenAI needs api_key."),
        ("no_such", {}, "There is no such provider; GET /providers/catalog lists them."),
        ("openai", None, "Credentials must be an object of fields and values."),
    ],
)
def test_unusable_credentials_are_a_fault_of_the_configuration(
    provider_type: str, credentials: Any, sentence: str
) -> None:
    with pytest.raises(ExchangeFailed) as raised:
        resolve(provider_type, credentials)

    assert raised.value.failure.error_class is ErrorClass.BAD_REQUEST
    assert raised.value.failure.message == sentence


def test_what_is_deployed_at_an_address_is_its_known_model() -> None:
    credentials = {"api_key": "k" * 9, "region": "us-west-2", "endpoint": "e-1"}

    assert resolve("sagemaker", credentials).known_models == ("e-1",)
