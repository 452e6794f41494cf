from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from benchmarks import axes, plots
from benchmarks.models import BenchmarkRun
from benchmarks.plots import Sample
from benchmarks.regressions import judge_run
from models_app.packs import prompt_hash
from models_app.prompts import PROMPT_PACKS
from tests.benchmarks.test_comparison_api import fill
from tests.benchmarks.test_schedules import make_history, make_schedule
from tests.benchmarks.wire import make_bad
from tests.make import make_llm, make_run

pytestmark = pytest.mark.django_db
URL = "/api/v1/benchmarks"
PROMPT = PROMPT_PACKS["health_check"].prompt


class Links(HTMLParser):
    """Everything a browser would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = [value for name, value in attrs if name in ("src", "href", "action")]
        handlers = [name for name, _ in attrs if name.startswith("on")]
        self.found += [*map(str, loads), *handlers, *([tag] if tag in ("script", "link") else [])]


def make_reported_run() -> BenchmarkRun:
    quick, slow = make_llm(custom_name="quick"), make_llm(custom_name="<b>slow & co</b>")
    run = make_run(quick, slow, status="completed", num_runs=12, slo={"ttft_ms": 120})
    fill(run, quick, 1.0, started_at=timezone.now())
    fill(run, slow, 1.5, n=11, started_at=timezone.now())
    make_bad(run, slow, started_at=timezone.now())
    return run


def test_a_report_is_one_page_that_loads_nothing(api: APIClient) -> None:
    response = api.get(f"{URL}/{make_reported_run().pk}/report")

    text = response.content.decode()
    links = Links()
    links.feed(text)
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert links.found == []
    assert "<b>slow" not in text
    assert "&lt;b&gt;slow &amp; co" in text


def test_a_report_has_three_plots_the_table_and_the_verdicts(api: APIClient) -> None:
    text = api.get(f"{URL}/{make_reported_run().pk}/report").content.decode()

    drawings = re.findall(r"<svg viewBox.*?</svg>", text, flags=re.S)
    titles = [ElementTree.fromstring(svg)[0].text for svg in drawings]
    assert titles == ["Empirical distribution", "Every request", "Timeline"]
    assert "slower" in text
    assert "Mann-Whitney" in text
    assert "1 server_error" in text
    assert "1 of 12 requests to &lt;b&gt;slow &amp; co&lt;/b&gt; failed" in text
    assert '"sha256"' in text or "&quot;sha256&quot;" in text


def test_a_report_of_a_scheduled_run_says_how_it_compares_with_the_earlier_ones(
    api: APIClient,
) -> None:
    *_, newest = make_history(make_schedule(), 1.0, 1.01, 0.99, 1.6)
    judge_run(newest.pk)

    text = api.get(f"{URL}/{newest.pk}/report").content.decode()

    section = text.partition("Against the earlier runs of its schedule")[2]
    assert section.count("slower</td>") == 3


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_run_without_results_has_a_report_too(api: APIClient, status: str) -> None:
    run = make_run(make_llm(), status=status, failure_reason="cancelled")

    response = api.get(f"{URL}/{run.pk}/report")

    assert response.status_code == 200
    assert b"0 of 3 requests" in response.content


@pytest.mark.parametrize(
    "values",
    [[5.0], [5.0, 5.0], [0.0, 0.0], [0.001, 90_000.0], [float(n) for n in range(5_000)]],
    ids=["one", "equal", "zero", "wide", "many"],
)
def test_any_values_make_plots_whose_points_lie_inside(values: list[float]) -> None:
    times = [float(n) for n in range(len(values))]
    samples = [Sample("a", values, times, [1.0]), Sample("empty", [], [], [])]

    for draw in (plots.ecdf_plot, plots.strip_plot, plots.timeline_plot):
        svg = ElementTree.fromstring(draw(samples, "ms"))
        height = float(svg.attrib["viewBox"].split()[3])
        dots = [e for e in svg.iter() if e.tag.endswith("circle")]
        assert len(dots) <= plots.MOST_POINTS
        for dot in dots:
            assert axes.LEFT <= float(dot.attrib["cx"]) <= axes.WIDTH
            assert 0 <= float(dot.attrib["cy"]) <= height


def test_long_names_that_differ_at_their_ends_stay_different() -> None:
    names = [f"accounts/fireworks/models/llama-v3p1-{size}b" for size in (8, 70)]

    svg = ElementTree.fromstring(plots.strip_plot([Sample(n, [5.0], [0.0]) for n in names], "ms"))

    shown = [e.text for e in svg.iter() if e.attrib.get("class") == "name"]
    assert shown == ["accounts/f…s/llama-v3p1-8b (1)", "accounts/f…/llama-v3p1-70b (1)"]


@pytest.mark.parametrize("high", [0.9, 1.7, 9.3, 21.0, 147.9, 190.0, 4_600.0])
def test_an_axis_has_enough_round_numbers_and_not_too_many(high: float) -> None:
    for low in (0.0, high * 0.6):
        ticks = axes.Axis(low, high, 0, 100).ticks()
        assert 4 <= len(ticks) <= 10
        assert low <= ticks[0] < ticks[-1] <= high * (1 + 1e-9)


@pytest.mark.parametrize("value", [0.03, 1.2, 12.0, 47.0, 80.0, 640.0])
def test_the_numbers_beside_an_axis_differ_where_values_lie_close_together(value: float) -> None:
    axis = axes.Axis.over([value, value * 1.001], 0, 100)

    labels = [axes.plain(tick) for tick in axis.ticks()]

    assert len(set(labels)) == len(labels) >= 3


def colours_of(svg: str, tag: str) -> set[str]:
    marks = [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith(tag)]
    return {mark.attrib["fill"] for mark in marks}


def test_a_model_has_one_colour_in_all_plots_also_beside_one_without_values() -> None:
    samples = [Sample("broken", [], [], [1.0]), Sample("good", [5.0, 6.0], [0.0, 1.0])]

    drawn = [draw(samples, "ms") for draw in (plots.strip_plot, plots.timeline_plot)]

    assert [colours_of(svg, "circle") for svg in drawn] == [{plots.COLOURS[1]}] * 2
    assert plots.COLOURS[1] in plots.ecdf_plot(samples, "ms")


def test_a_curve_ends_below_the_whole_when_requests_failed() -> None:
    def last_step(failed: int) -> str:
        svg = plots.ecdf_plot([Sample("a", [5.0, 6.0], [0, 1], [2.0] * failed)], "ms")
        (path,) = (e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("path"))
        return path.attrib["d"].split("V")[-1]

    top, floor = axes.TOP, plots.HEIGHT - axes.BOTTOM
    assert last_step(0) == f"{float(top)}"
    assert last_step(2) == f"{(top + floor) / 2}H{axes.WIDTH - axes.RIGHT}"


def test_the_slowest_of_many_requests_are_all_shown() -> None:
    values = [float(n) for n in range(5_000)]
    slowest = [9_000.0 + n for n in range(20)]

    svg = ElementTree.fromstring(plots.strip_plot([Sample("a", values + slowest)], "ms"))

    xs = sorted(float(e.attrib["cx"]) for e in svg.iter() if e.tag.endswith("circle"))
    axis = axes.Axis.over(values + slowest, axes.LEFT + plots.NAMES, axes.WIDTH - axes.RIGHT)
    assert xs[-20:] == [axis.place(value) for value in slowest]


def test_twenty_models_differ_in_mark_or_colour() -> None:
    samples = [Sample(f"m{n}", [5.0 + n, 6.0 + n], [0.0, 1.0]) for n in range(20)]

    spans = plots.legend(samples).split("</span>")[:-1]

    assert len({span.partition("</svg>")[0] for span in spans}) == 20


def test_nothing_to_show_is_no_plot() -> None:
    for draw in (plots.ecdf_plot, plots.strip_plot, plots.timeline_plot):
        assert draw([Sample("a", [])], "ms") == ""


def test_a_manifest_tells_all_that_makes_a_run(api: APIClient) -> None:
    llm, other = make_llm(upstream_id="m-1"), make_llm()
    facts = {"python": "3.11"}
    run = make_run(llm, other, num_runs=3, seed=7, prompt=PROMPT, facts=facts)

    body = api.get(f"{URL}/{run.pk}/manifest").json()

    assert body["request"] == {
        "model_ids": [str(llm.pk), str(other.pk)],
        "name": "Run",
        "prompt_pack": "health_check",
        "max_tokens": 200,
        "num_runs": 3,
        "concurrency_per_llm": 1,
        "request_rate": None,
        "arrivals": "poisson",
        "cache_busting": True,
        "model_time_limit_s": None,
        "run_time_limit_s": None,
        "slo": {},
        "seed": 7,
        "prompt_sha256": prompt_hash(PROMPT),
    }
    assert (body["prompt"]["text"], body["client"]) == (PROMPT, facts)
    assert (body["models"][0]["upstream_id"], body["manifest"]) == ("m-1", 1)
    places = [run.llm_ids.index(step.llm_id) for step in run.steps()]
    assert body["order"] == places
    assert sorted(places) == [0, 0, 0, 1, 1, 1]


def test_the_order_of_an_open_loop_has_its_times(api: APIClient) -> None:
    run = make_run(make_llm(), num_runs=3, request_rate=2.0, prompt=PROMPT)

    order = api.get(f"{URL}/{run.pk}/manifest").json()["order"]

    assert [place for place, _ in order] == [0, 0, 0]
    assert order == sorted(order)


def test_a_manifest_is_an_order_that_makes_the_run_again(api: APIClient) -> None:
    run = make_run(make_llm(), make_llm(), num_runs=4, seed=7, prompt=PROMPT)
    request: dict[str, Any] = api.get(f"{URL}/{run.pk}/manifest").json()["request"]

    answer = api.post(URL, request, format="json")

    again = BenchmarkRun.objects.get(pk=answer.json()["id"])
    assert answer.status_code == 202
    assert (again.steps(), again.prompt) == (run.steps(), PROMPT)


def test_an_order_for_another_prompt_is_refused(api: APIClient) -> None:
    run = make_run(make_llm(), prompt="Something else.")
    request = api.get(f"{URL}/{run.pk}/manifest").json()["request"]

    errors = api.post(URL, request, format="json").json()["errors"]

    assert list(errors) == ["prompt_sha256"]


def test_rerunning_keeps_order_seed_and_prompt_even_of_a_lost_pack(api: APIClient) -> None:
    llm = make_llm()
    run = make_run(llm, seed=7, num_runs=2, prompt="Say it.", prompt_pack="lost", status="failed")

    answer = api.post(f"{URL}/{run.pk}/rerun")

    again = BenchmarkRun.objects.exclude(pk=run.pk).get()
    assert (answer.status_code, answer.json()["id"]) == (202, str(again.pk))
    assert (again.seed, again.prompt, again.prompt_pack) == (7, "Say it.", "lost")
    assert (again.llm_ids, again.status) == ([llm.pk], "pending")


def test_rerunning_with_a_disabled_model_is_refused(api: APIClient) -> None:
    run = make_run(make_llm(enabled_for_benchmark=False))

    answer = api.post(f"{URL}/{run.pk}/rerun")

    assert answer.status_code == 400
    assert "Not enabled for benchmarks" in answer.json()["detail"]
