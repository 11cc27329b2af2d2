"""Figures, and what stands in the page's file: the decision's numbers, hostile names as text, nothing to fetch."""

import base64
import hashlib
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from xml.etree import ElementTree

import numpy as np
import pytest
from page_cases import page_case
from report_cases import DECISIONS, HOSTILE, SCRIPT, decision_with, spread_over

from violencescore.errors import InputError
from violencescore.report.figure_files import write_figure
from violencescore.report.figures import rank_heat_map, score_intervals
from violencescore.report.page import page_parts, render_page
from violencescore.report.text import cell_format
from violencescore.scenario_choices import Scenario
from violencescore.scenarios import describe_scenario

# Figures


def svg_text(figure, folder, **words):
    write_figure(figure, folder / "figure.svg", **words)
    return (folder / "figure.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("figure", [rank_heat_map, score_intervals])
@pytest.mark.parametrize("n", [1, 2, 12])
def test_figures_are_drawn_and_are_the_same_twice(tmp_path, figure, n):
    decision = decision_with(spread_over(n))
    texts = [svg_text(figure(decision), tmp_path) for _ in range(2)]
    assert texts[0] == texts[1]
    root = ElementTree.fromstring(texts[0])
    words = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert sum(word.startswith("Group ") for word in words) == n


def test_the_heat_map_shows_the_rank_probabilities():
    decision = DECISIONS["no_selection"]
    axes = rank_heat_map(decision).axes[0]
    expected = decision.ranking[["p_rank_1", "p_rank_2", "p_rank_3"]].to_numpy()
    np.testing.assert_array_equal(axes.images[0].get_array(), expected)
    np.testing.assert_array_equal(
        expected,
        decision.rank_probabilities.sel(organization=decision.ranking["organization_id"].tolist()).values,
    )
    shown = cell_format(decision.ranking["p_first_mcse"].min())
    assert [text.get_text() for text in axes.texts] == [shown(p) for p in expected.ravel()]


def test_the_interval_figure_shows_median_and_ends():
    decision = DECISIONS["no_selection"]
    lines = score_intervals(decision).axes[0].lines
    ends = decision.ranking[["score_low", "score_high"]].to_numpy()
    np.testing.assert_allclose([line.get_xdata() for line in lines[::2]], ends)
    np.testing.assert_allclose([line.get_xdata()[0] for line in lines[1::2]], decision.ranking["score_median"])


def test_an_intensity_that_spans_magnitudes_has_a_logarithmic_axis():
    decision = decision_with([3900, 100], per="revenue", scale=1e-6)
    assert score_intervals(decision).axes[0].get_xscale() == "linear"
    wide = decision.ranking.assign(score_low=[1e-8, 1e-6])
    assert score_intervals(replace(decision, ranking=wide)).axes[0].get_xscale() == "log"


def test_a_missing_score_leaves_a_gap_and_no_failure():
    decision = DECISIONS["not_estimable"]
    nothing = decision.ranking.assign(score_low=math.nan, score_median=math.nan, score_high=math.nan)
    missing = replace(decision, ranking=nothing)
    assert len(score_intervals(missing).axes[0].lines) == 0


@pytest.mark.parametrize("figure", [rank_heat_map, score_intervals])
def test_hostile_names_are_text_in_figures(tmp_path, figure):
    decision = decision_with(spread_over(len(HOSTILE)), names=HOSTILE)
    svg = svg_text(figure(decision), tmp_path, title=SCRIPT, caption=SCRIPT)
    assert "<script" not in svg
    words = [element.text for element in ElementTree.fromstring(svg).iter() if element.text]
    assert any(r"$\frac" in word for word in words)
    assert any(word.startswith("\\u202eevil") for word in words)


# The page


def test_the_same_decision_gives_the_same_page_and_its_data_are_the_decision_s():
    case = page_case()
    assert case.html == render_page(case.decision, case.context)
    _, data = page_parts(case.html)
    ranking = case.decision.ranking
    assert [row["organization_id"] for row in data["ranking"]] == ranking["organization_id"].tolist()
    for column in ("p_first", "p_first_mcse", "p_rank_2", "score_low"):
        assert [row[column] for row in data["ranking"]] == ranking[column].tolist()
    assert data["decision"]["outcome"] == case.decision.outcome


def test_twelve_organizations_and_two_thousand_draws_are_under_three_megabytes():
    case = page_case(n=12, categories=14, chains=4, draws=500)
    assert len(case.html.encode()) < 3_000_000
    _, data = page_parts(case.html)
    assert data["draws"]["step"] == 1
    more = page_case(n=12, categories=14, chains=4, draws=500, score={"estimand": "rate"})
    assert len(more.html.encode()) < 3_000_000
    assert page_parts(more.html)[1]["draws"]["step"] == 2


@pytest.mark.parametrize("score", [{}, {"estimand": "rate"}])
def test_the_draws_in_the_page_are_the_draws(score):
    case = page_case(score=score)
    draws = page_parts(case.html)[1]["draws"]
    harm = case.posterior["harms"][f"harm_{case.methodology.score.estimand}"].values
    for c, text in enumerate(draws["harm"]):
        found = np.frombuffer(base64.b64decode(text["data"]), text["type"]).reshape(harm.shape[:3])
        np.testing.assert_array_equal(found, harm[..., c])


def test_the_policy_allows_our_scripts_and_style_and_nothing_else():
    html = page_case().html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    blocks = re.findall(r"<script>(.*?)</script>|<style>(.*?)</style>", html, re.DOTALL)
    digests = {"sha256-" + base64.b64encode(hashlib.sha256((a or b).encode()).digest()).decode() for a, b in blocks}
    assert len(digests) == 3
    assert set(re.findall(r"'(sha256-[^']*)'", policy)) == digests
    rest = re.sub(r"'sha256-[^']*'", "", policy)
    assert rest.split("; ") == [
        "default-src 'none'", "script-src  ", "style-src ", "img-src data: blob:", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    assert not re.search(r'(src|href|action)="[^#"]', re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL))


def test_hostile_texts_stay_inside_the_data():
    case = page_case(n=len(HOSTILE), names=HOSTILE)
    html = render_page(case.decision, replace(case.context, title=SCRIPT, messages=HOSTILE))
    assert html.count("<script") == html.count("</script>") == 3
    _, data = page_parts(html)
    assert data["title"] == SCRIPT
    assert not set(html) & set("\x1b\x00\u202e\u200f\u2066")


def test_without_scripts_the_verdict_is_still_said():
    html = page_case().html
    note = html[html.index("<noscript>") : html.index("</noscript>")]
    assert "consistent with the evidence" in note and "<h1>Panel 2026</h1>" in note


def test_what_is_no_page_of_ours_is_a_fault():
    for html in ("", '<script type="application/json" id="data">{}</script>', page_case().html * 2):
        with pytest.raises(InputError, match="is not a page"):
            page_parts(html)


# Its words


def asset(name):
    return files("violencescore.report").joinpath("assets", name).read_text(encoding="utf-8")


TEXTS = json.loads(asset("texts.json"))
GROUPS = ("elements", "roles", "channels")
PROGRAM = "".join(
    path.read_text() for path in files("violencescore.report").joinpath("assets").iterdir() if path.name.endswith(".js")
)


def test_every_text_stands_in_both_languages_with_the_same_slots():
    plain = {k: v for k, v in TEXTS.items() if k not in (*GROUPS, "translations", "beginnings")}
    for key, text in [*plain.items(), *(pair for group in GROUPS for pair in TEXTS[group].items())]:
        assert text.keys() == {"en", "es"}, key
        slots = [sorted(set(re.findall(r"\{\w+\}", text[language]))) for language in ("en", "es")]
        assert slots[0] == slots[1], key


def test_every_text_that_the_program_asks_for_is_there_and_none_is_idle():
    asked = set(re.findall(r"\bt\(\s*\"([\w.]+)\"", PROGRAM))
    quoted = set(re.findall(r"\"([\w.]+)\"", PROGRAM))
    stems = set(re.findall(r"t\(`([\w.]+\.)\$", PROGRAM))
    keys = TEXTS.keys() - {*GROUPS, "language", "translations", "beginnings"}
    assert asked <= keys
    idle = {key for key in keys if key not in quoted and not any(key.startswith(stem) for stem in stems)}
    assert idle == set()


@pytest.mark.parametrize(
    "choice",
    [
        {"false_flag": {"window": (1, 20)}}, {"without_channel": "*"}, {"without_channel": "press"}, {"without_source": "*"},
        {"without_source": "x"}, {"weights": "equal"}, {"weights": "any"}, {"weights": {"killing": 2}}, {"per": "none"},
        {"per": "revenue"}, {"per": "flow"}, {"estimand": "rate"}, {"estimand": "realized"},
    ],
)  # fmt: skip
def test_whatever_a_scenario_changes_has_spanish_words(choice):
    for part in describe_scenario(Scenario(name="x", **choice)).split("; "):
        assert part in TEXTS["translations"] or any(part.startswith(start) for start in TEXTS["beginnings"])


def test_importing_the_report_loads_neither_matplotlib_nor_jinja():
    code = (
        "import sys, violencescore.report.page, violencescore.report.tables, violencescore.report.figures;"
        "print([m for m in ('matplotlib', 'jinja2', 'pymc', 'arviz', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
