"""Figures and the page: the decision's numbers, hostile names as text, nothing fetched, nothing run."""

import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from report_cases import DECISIONS, HOSTILE, KLEIMAN, OUTCOMES, SCRIPT, decision_with, spread_over

from violencescore.decision import decide
from violencescore.report.figures import rank_heat_map, score_intervals, svg_text
from violencescore.report.page import PageContext, render_page
from violencescore.report.sentences import (
    OUTCOME_LABELS,
    assumption_sentences,
    verdict_sentence,
)
from violencescore.report.text import cell_format

VOID = {"meta", "img", "br", "link", "hr", "input"}
CONTEXT = PageContext(
    title="Panel 2026",
    window_text="1 July to 26 August 2026",
    messages=("12 of 900 incidents lie outside both periods and were left out.",),
    diagnostics={
        "converged": True,
        "max_rhat": 1.004,
        "min_ess": 1834.2,
        "divergences": 0,
        "seconds": {"sample": 12.34},
        "identification": [
            {"parameter": "accuracy[claim]", "prior_sd": 0.12, "posterior_sd": 0.04, "contraction": 0.89},
            {"parameter": "false_flag[a]", "prior_sd": 0.06, "posterior_sd": 0.06, "contraction": 0.01},
            {"parameter": "unknown", "prior_sd": None, "posterior_sd": None, "contraction": None},
        ],
    },
    run={"seed": 7, "packages": {"numpy": "2.5.0"}, "inputs": {"harms.csv": "ab" * 32}, "messages": ["m"]},
    methodology=KLEIMAN.model_dump(mode="json"),
)


class Page(HTMLParser):
    """Reads a page as a browser would: tags must balance; text, data values and attributes are kept."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.words, self.attributes, self.data = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.data += [value for key, value in attrs if (tag, key) == ("data", "value")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


# Figures


@pytest.mark.parametrize("figure", [rank_heat_map, score_intervals])
@pytest.mark.parametrize("n", [1, 2, 12])
def test_figures_are_drawn_and_are_the_same_twice(figure, n):
    decision = decision_with(spread_over(n))
    texts = [svg_text(figure(decision), title="t", description="d", prefix="p") for _ in range(2)]
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
    assert "–" in Page(render_page(missing, CONTEXT)).text


@pytest.mark.parametrize("figure", [rank_heat_map, score_intervals])
def test_hostile_names_are_text_in_figures(figure):
    decision = decision_with(spread_over(len(HOSTILE)), names=HOSTILE)
    svg = svg_text(figure(decision), title=SCRIPT, description=SCRIPT, prefix="p")
    assert "<script" not in svg
    words = [element.text for element in ElementTree.fromstring(svg).iter() if element.text]
    assert any(r"$\frac" in word for word in words)
    assert any(word.startswith("\\u202eevil") for word in words)


def test_two_figures_on_a_page_share_no_id():
    svgs = [svg_text(score_intervals(DECISIONS["selected"]), title="t", description="d", prefix=p) for p in "ab"]
    ids = [re.findall(r'id="([^"]*)"', svg) for svg in svgs]
    assert not set(ids[0]) & set(ids[1])
    for svg, own in zip(svgs, ids, strict=True):
        referred = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', svg)
        assert referred
        assert {a or b for a, b in referred} <= set(own)


# The page


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_a_balanced_page_that_says_the_verdict(outcome):
    decision = DECISIONS[outcome]
    html = render_page(decision, CONTEXT)
    page = Page(html)
    assert verdict_sentence(decision) in page.text
    assert OUTCOME_LABELS[outcome] in page.text
    assert ("class", f"verdict {outcome}") in page.attributes
    for said in (*decision.reasons, *assumption_sentences(decision, CONTEXT.run), *CONTEXT.messages):
        assert said in page.text
    assert ("shown for inspection only" in page.text) == (outcome == "not_estimable")
    assert html == render_page(decision, CONTEXT)


def test_the_icons_of_the_outcomes_differ_in_shape():
    icons = [
        re.search(r'<svg class="icon".*?</svg>', render_page(d, CONTEXT), re.DOTALL)[0] for d in DECISIONS.values()
    ]
    assert len(set(icons)) == len(OUTCOMES)


@pytest.mark.parametrize("n", [1, 2, 12])
def test_the_page_carries_the_decision_s_numbers_unrounded(n):
    decision = decision_with(spread_over(n))
    page = Page(render_page(decision, CONTEXT))
    found = [float(value) for value in page.data]
    ranking = decision.ranking
    table = ranking[["p_first", "p_first_mcse", "expected_rank", "score_median"]].to_numpy().ravel().tolist()
    heat = ranking[[f"p_rank_{rank}" for rank in range(1, n + 1)]].to_numpy().ravel().tolist()
    wins = decision.pairwise.set_index(["organization_id", "other_id"])["p_greater"]
    ids = ranking["organization_id"]
    pairs = [wins[row, other] for row in ids for other in ids if row != other]
    weights = [category.weight for category in KLEIMAN.category]
    assert found == [*table, *heat, *pairs, *weights]


def test_the_page_fetches_nothing_and_runs_nothing():
    html = render_page(DECISIONS["selected"], CONTEXT)
    page = Page(html)
    assert "script" not in page.tags
    assert not re.search(r"https?:|//\w", html.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    assert not {key for key, _ in page.attributes} & {"src", "srcset", "action", "onload", "onclick"}
    assert all(value.startswith("#") for key, value in page.attributes if key == "href")
    policy = dict(page.attributes)["content"] if False else [v for k, v in page.attributes if k == "content"]
    assert any(value.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:") for value in policy)


def test_hostile_names_and_texts_are_text_on_the_page():
    decision = decision_with(spread_over(len(HOSTILE)), names=HOSTILE)
    plain = Page(render_page(decision_with(spread_over(len(HOSTILE))), CONTEXT))
    context = replace(
        CONTEXT,
        title=SCRIPT,
        window_text=SCRIPT,
        messages=HOSTILE,
        run={"seed": SCRIPT, SCRIPT: {SCRIPT: SCRIPT}},
        diagnostics={"identification": [{"parameter": SCRIPT}]},
        methodology=CONTEXT.methodology
        | {"channels": {SCRIPT: {"forgeable": True, "candidates": False, "accuracy": (1, 1)}}},
    )
    html = render_page(decision, context)
    page = Page(html)
    assert "script" not in page.tags and "img" not in page.tags
    assert {key for key, _ in page.attributes} <= {key for key, _ in plain.attributes}
    assert page.text.count("alert(1)") > 10
    assert "{{ 7*7 }}" in page.text
    assert not set(html) & set("\x1b\x00\u202e\u200f\u2066")
    html.encode("utf-8")


def test_a_page_is_accessible_by_its_marks():
    html = render_page(DECISIONS["selected"], CONTEXT)
    page = Page(html)
    assert ("lang", "en") in page.attributes
    assert page.tags.count("h1") == 1 and page.tags.count("main") == 1
    assert page.tags.count("th") == len([1 for key, _ in page.attributes if key == "scope"])
    ids = [value for key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    for key, value in page.attributes:
        if key in ("aria-labelledby", "aria-describedby"):
            assert set(value.split()) <= set(ids)
    for svg in re.findall(r"<svg[^>]*>", html):
        assert 'aria-hidden="true"' in svg or 'role="img"' in svg


def test_the_page_tells_how_it_was_made_with_digests_shortened():
    html = render_page(DECISIONS["selected"], CONTEXT)
    page = Page(html)
    assert ("title", "ab" * 32) in page.attributes
    assert "ab" * 32 not in page.text
    assert "abababababab…" in page.text
    for said in ("numpy 2.5.0", "1.004", "at most 1.01", "1,834", "at least 400", "accuracy[claim]", "0.89"):
        assert said in page.text
    assert "mostly the data" in page.text
    assert "the prior" in page.text


def test_only_a_fictional_page_says_that_it_is():
    decision = DECISIONS["selected"]
    assert "are invented" not in Page(render_page(decision, CONTEXT)).text
    assert "are invented" in Page(render_page(decision, replace(CONTEXT, fictional=True))).text


def test_a_page_needs_nothing_but_a_decision_and_a_title():
    text = Page(render_page(DECISIONS["extend"], PageContext("Bare"))).text
    assert "Bare" in text
    assert "Weights" not in text


def test_importing_the_report_loads_neither_matplotlib_nor_jinja():
    code = (
        "import sys, violencescore.report.page, violencescore.report.tables, violencescore.report.figures;"
        "print([m for m in ('matplotlib', 'jinja2', 'pymc', 'arviz', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_page_without_organizations_still_says_so():
    empty = decide(np.empty((100, 0)), KLEIMAN, names=[])
    assert "no organization to rank" in Page(render_page(empty, CONTEXT)).text
