from __future__ import annotations

from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.catalog import CATALOG
from providers.credentials import credential_errors, merge, public_view
from providers.endpoints import resolve
from providers.errors import ExchangeFailed

KEY = "sk-test-0123456789"
CUSTOM = "custom_openai_compatible"


def errors_of(value: Any, name: str = "api_key", provider_type: str = "openai") -> list[str]:
    credentials = {"api_key": KEY} | {name: value}
    return credential_errors(provider_type, credentials).get(name, [])


def url_errors(url: Any) -> list[str]:
    return errors_of(url, "base_url", CUSTOM)


@pytest.mark.parametrize(
    ("provider_type", "credentials", "expected"),
    [
        ("openai", {}, {"api_key": ["OpenAI needs api_key."]}),
        ("openai", {"api_key": "  "}, {"api_key": ["OpenAI needs api_key."]}),
        ("openai", {"api_key": None}, {"api_key": ["OpenAI needs api_key."]}),
        (CUSTOM, {}, {"base_url": ["Custom OpenAI Compatible needs base_url."]}),
        (
            "ollama",
            {},
            {"base_url": ["Ollama needs base_url, for example http://host.docker.internal:11434."]},
        ),
        ("aws_bedrock", {"api_key": KEY}, {"region": ["AWS Bedrock needs region."]}),
        (
            "google_vertex",
            {"api_key": KEY},
            {
                "region": ["Google Vertex AI needs region."],
                "project": ["Google Vertex AI needs project."],
            },
        ),
        (
            "gdc",
            {"api_key": KEY, "base_url": "https://gdc.example", "project": "p"},
            {"region": ["Google Distributed Cloud needs region."]},
        ),
    ],
)
def test_what_is_missing_is_named(
    provider_type: str, credentials: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert credential_errors(provider_type, credentials) == expected


@pytest.mark.parametrize("provider_type", ["", "OpenAI", "nope", None, 7, [], {}, "\ud800"])
def test_an_unknown_provider_is_refused(provider_type: object) -> None:
    assert list(credential_errors(provider_type, {"api_key": KEY})) == ["provider_type"]


def test_a_provider_that_cannot_be_served_is_refused_with_its_reason() -> None:
    errors = credential_errors("replicate", {"api_key": KEY})

    assert errors == {
        "provider_type": [
            "Replicate cannot be used. Replicate answers through predictions that are polled, "
            "not through a chat stream."
        ]
    }


@pytest.mark.parametrize("credentials", [None, [], "text", 7, True])
def test_credentials_must_be_an_object(credentials: object) -> None:
    assert list(credential_errors("openai", credentials)) == ["credentials"]


@pytest.mark.parametrize("value", [7, 1.5, True, [], ["sk"], {}, {"a": "b"}, 10**400])
def test_a_key_must_be_text(value: object) -> None:
    assert errors_of(value) == ["This must be text."]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("k" * 10_001, "This may have at most 10,000 characters."),
        ("sk-1\n", "This holds a line break or another control character; paste it without."),
        ("sk-1\r\nX: y", "This holds a line break or another control character; paste it without."),
        ("sk\x00", "This holds a line break or another control character; paste it without."),
        ("sk-\u20ac", "This holds characters outside ASCII, which no HTTP header can carry."),
        ("sk-\xe9", "This holds characters outside ASCII, which no HTTP header can carry."),
        ("sk-\ud800", "This holds characters outside ASCII, which no HTTP header can carry."),
        ("Bearer sk-1234", 'Give the key alone, without the word "Bearer".'),
    ],
)
def test_a_key_that_would_break_a_header_is_refused(value: str, sentence: str) -> None:
    assert errors_of(value) == [sentence]


def test_the_longest_key_is_taken() -> None:
    assert errors_of("k" * 10_000) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:11434",
        "http://127.0.0.1:8000/v1",
        "http://[fe80::1]:8000/v1",
        "https://my_service.internal/v1/",
        "https://xn--bcher-kva.example/v1",
        "https://gate.example/v1?key=abc",
        "https://host.",
    ],
)
def test_private_and_local_addresses_are_welcome(url: str) -> None:
    assert url_errors(url) == []


@pytest.mark.parametrize(
    ("url", "fragment"),
    [
        ("localhost:11434", "begin with http"),
        ("ftp://host/v1", "begin with http"),
        ("file:///etc/passwd", "begin with http"),
        ("javascript:alert(1)", "begin with http"),
        ("//host/v1", "begin with http"),
        ("http://", "names no host"),
        ("http:///v1", "names no host"),
        ("http://:8000", "names no host"),
        ("http://host:99999", "host and the port"),
        ("http://host:port", "host and the port"),
        ("http://host:0", "Port 0"),
        ("http://[::1", "host and the port"),
        ("http://[::zz]", "host"),
        ("http://999.1.1.1", "not a valid name"),
        ("http://1.2.3", "not a valid name"),
        ("http://ho$t/v1", "not a valid name"),
        ("http://a..b/v1", "not a valid name"),
        ("http://xn--a/v1", "not a valid name"),
        ("http://" + "a" * 64 + ".example", "not a valid name"),
        ("http://user:pw@host/v1", "login"),
        ("http://host\\@evil.example", "login"),
        ("http://host/v1#part", "fragment"),
        ("http://host/a\\b", "backslash"),
        ("http://ho st/v1", "neither spaces"),
        ("http://host/v1\n", "neither spaces"),
        ("http://b\xfccher.example", "neither spaces"),
        ("http://host/" + "a" * 2048, "at most 2,048"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url: str, fragment: str) -> None:
    found = url_errors(url)

    assert len(found) == 1
    assert fragment in found[0]


@pytest.mark.parametrize("region", ["us-east-1", "eu-new-9", "global", "US"])
def test_a_region_we_have_not_heard_of_is_taken(region: str) -> None:
    assert errors_of(region, "region", "aws_bedrock") == []


@pytest.mark.parametrize("region", ["a.b", "evil.example/", "eu west", "-x", "x" * 64, "a@b", "é"])
def test_a_region_cannot_change_the_host(region: str) -> None:
    assert errors_of(region, "region", "aws_bedrock") != []


@pytest.mark.parametrize("project", ["../../x", "a/b", "a?b", "a b", "", "a..b"])
def test_a_project_cannot_change_the_path(project: str) -> None:
    credentials = {"api_key": KEY, "region": "global", "project": project}

    assert list(credential_errors("google_vertex", credentials)) == ["project"]


@pytest.mark.parametrize("value", [0, -1, 3601, "5", True, float("nan"), 10**400, []])
def test_a_timeout_is_a_sensible_number(value: object) -> None:
    assert errors_of(value, "ttft_timeout_s") == [
        "This must be a number of seconds above 0 and at most 3,600."
    ]


@pytest.mark.parametrize(
    ("headers", "fragment"),
    [
        ("X: y", "must be an object"),
        ([("X", "y")], "must be an object"),
        ({f"X-{i}": "y" for i in range(33)}, "at most 32"),
        ({"X y": "z"}, "header name"),
        ({"X\r\nY": "z"}, "header name"),
        ({"": "z"}, "header name"),
        ({7: "z"}, "header name"),
        ({"Host": "evil.example"}, "set by the server"),
        ({"content-LENGTH": "1"}, "set by the server"),
        ({"X": 7}, "must be text"),
        ({"X": "a" * 10_001}, "must be text"),
        ({"X": "a\nb"}, "no HTTP header"),
        ({"X": "\u20ac"}, "no HTTP header"),
    ],
)
def test_headers_that_would_break_a_request_are_refused(headers: Any, fragment: str) -> None:
    found = errors_of(headers, "headers")

    assert len(found) == 1
    assert fragment in found[0]


def test_a_field_the_provider_does_not_take_is_refused_with_those_it_takes() -> None:
    assert errors_of("eu-west-1", "region") == [
        "OpenAI does not take this field. It takes: api_key, base_url, organization, project, "
        "headers, connect_timeout_s, ttft_timeout_s, total_timeout_s."
    ]


def test_blank_fields_of_a_form_are_as_good_as_absent() -> None:
    credentials = {"api_key": KEY, "region": "", "organization_id": None, "base_url": " "}

    assert credential_errors("openai", credentials) == {}


def test_names_of_other_tools_are_understood() -> None:
    credentials = {"access_token": KEY, "location": "global", "project_id": "p1"}

    assert credential_errors("google_vertex", credentials) == {}


def test_an_error_is_told_under_the_name_that_was_sent() -> None:
    credentials = {"access_token": 7, "location": "global", "project_id": "p1"}

    assert credential_errors("google_vertex", credentials) == {
        "access_token": ["This must be text."]
    }


def test_a_field_name_that_is_no_name_is_not_repeated() -> None:
    errors = credential_errors("openai", {"api_key": KEY, "<script>" * 50: "x"})

    assert list(errors) == ["credentials"]


def test_the_public_view_shows_neither_login_nor_keys() -> None:
    shown = public_view(
        "azure_openai",
        {"api_key": KEY, "base_url": "https://R.example/x?api-version=2024-10-21&key=secret1"},
    )

    assert shown == {"base_url": "https://r.example/x?api-version=2024-10-21", "region": None}


@pytest.mark.parametrize("base_url", ["https://joe:pw@host/v1", "nonsense", 7, None, "", []])
def test_an_address_that_cannot_be_shown_is_not(base_url: object) -> None:
    assert public_view(CUSTOM, {"base_url": base_url}) == {"base_url": None, "region": None}


def test_the_region_is_shown_under_either_name() -> None:
    assert public_view("aws_bedrock", {"region": "eu-west-1"})["region"] == "eu-west-1"
    assert public_view("google_vertex", {"location": "global"})["region"] == "global"


def test_a_patch_replaces_what_it_names_and_keeps_the_rest() -> None:
    old = {"api_key": KEY, "organization_id": "org-1", "project": "proj_1"}

    merged, errors = merge("openai", old, {"organization": "org-2", "project_id": None})

    assert errors == {}
    assert merged == {"api_key": KEY, "organization": "org-2"}


def test_a_patch_cannot_remove_what_is_needed() -> None:
    _, errors = merge("openai", {"api_key": KEY}, {"api_key": None})

    assert errors == {"api_key": ["OpenAI needs api_key."]}


MOVES = [
    ("openai", {"api_key": KEY}, {"base_url": "https://evil.example/v1"}),
    ("openai", {"api_key": KEY, "base_url": "https://gate.example/v1"}, {"base_url": None}),
    (CUSTOM, {"api_key": KEY, "base_url": "https://a.example"}, {"base_url": "http://a.example"}),
    (
        CUSTOM,
        {"api_key": KEY, "base_url": "https://a.example"},
        {"base_url": "https://a.example:8"},
    ),
    ("azure_ai", {"api_key": KEY, "resource": "mine"}, {"resource": "theirs"}),
    ("aws_bedrock", {"api_key": KEY, "region": "eu-west-1"}, {"base_url": "https://evil.example"}),
]


@pytest.mark.parametrize(("provider_type", "old", "patch"), MOVES)
def test_a_stored_key_is_not_sent_to_a_new_host_unasked(
    provider_type: str, old: dict[str, Any], patch: dict[str, Any]
) -> None:
    _, errors = merge(provider_type, old, patch)
    _, with_key = merge(provider_type, old, patch | {"api_key": "sk-new-0123456789"})

    assert errors == {
        "api_key": [
            "The address changes: send this again, a stored secret is never sent to another host."
        ]
    }
    assert with_key == {}


def test_stored_headers_do_not_move_either() -> None:
    old = {"base_url": "https://a.example/v1", "headers": {"X-Key": "hidden-value"}}

    _, errors = merge(CUSTOM, old, {"base_url": "https://b.example/v1"})
    _, without = merge(CUSTOM, old, {"base_url": "https://b.example/v1", "headers": None})

    assert list(errors) == ["headers"]
    assert without == {}


@pytest.mark.parametrize(
    ("provider_type", "old", "patch"),
    [
        (
            CUSTOM,
            {"api_key": KEY, "base_url": "https://a.example/v1"},
            {"base_url": "https://A.example:443/v2/"},
        ),
        ("openai", {"api_key": KEY}, {"base_url": "https://api.openai.com/v1"}),
        ("ollama", {"base_url": "http://localhost:11434"}, {"base_url": "http://other:11434"}),
        ("aws_bedrock", {"api_key": KEY, "region": "eu-west-1"}, {"region": "us-east-1"}),
    ],
)
def test_a_key_stays_while_the_host_stays(
    provider_type: str, old: dict[str, Any], patch: dict[str, Any]
) -> None:
    _, errors = merge(provider_type, old, patch)

    assert errors == {}


@pytest.mark.parametrize(
    ("provider_type", "old", "patch"),
    [("nope", {}, {}), ("openai", {}, None), ("openai", None, []), (None, None, None)],
)
def test_a_patch_of_the_wrong_kind_is_an_error(provider_type: Any, old: Any, patch: Any) -> None:
    merged, errors = merge(provider_type, old, patch)

    assert merged == {}
    assert errors


NAMES = sorted({f.name for s in CATALOG.values() for f in s.credential_fields} | {"location"})
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
URLS = st.text(alphabet="htps:/.@[]?#%\\xn-1a \u20ac{}", max_size=25).map("http://".__add__)
CREDENTIALS = st.dictionaries(
    st.sampled_from(NAMES) | st.text(max_size=8), VALUES | URLS, max_size=6
)
TYPES = st.sampled_from([*CATALOG, "nope"]) | st.none()
calm = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@calm
@given(TYPES, VALUES | CREDENTIALS, VALUES | CREDENTIALS)
def test_no_input_raises_anything(provider_type: Any, credentials: Any, patch: Any) -> None:
    errors = credential_errors(provider_type, credentials)
    public_view(provider_type, credentials)
    merge(provider_type, credentials, patch)

    assert all(texts and all(texts) for texts in errors.values())
    if errors:
        with pytest.raises(ExchangeFailed):
            resolve(provider_type, credentials)
    else:
        resolve(provider_type, credentials)


@calm
@given(URLS)
def test_an_address_that_passes_can_be_asked_by_the_http_client(url: str) -> None:
    credentials = {"base_url": url}
    if credential_errors(CUSTOM, credentials):
        return

    endpoint = resolve(CUSTOM, credentials)
    request = httpx2.Request("GET", endpoint.base_url, params=dict(endpoint.query))

    assert request.url.host
    assert request.url.scheme in ("http", "https")


@calm
@given(st.text(max_size=40))
def test_a_key_that_passes_can_be_sent_in_a_header(key: str) -> None:
    if credential_errors("openai", {"api_key": key}):
        return

    sent = httpx2.Headers(
        {"Authorization": f"Bearer {resolve('openai', {'api_key': key}).api_key}"}
    )

    assert sent["Authorization"].strip() == sent["Authorization"]


def test_a_deeply_nested_value_is_only_an_error() -> None:
    value: Any = "deep"
    for _ in range(100_000):
        value = [value]

    assert credential_errors("openai", {"api_key": value}) == {"api_key": ["This must be text."]}
