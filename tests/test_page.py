"""The page in a browser: its numbers are Python's, everything follows a slider, nothing leaves, everybody can use it."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import browsing, chromium, numbers, opened, table
from page_cases import hand_incidents, page_case
from playwright.sync_api import expect
from report_cases import DECISIONS, HOSTILE, OUTCOMES, SCRIPT, decision_with
from typer.testing import CliRunner

from violencescore.cli import app
from violencescore.report.page import page_parts, render_page
from violencescore.report.page_data import PageContext
from violencescore.report.sentences import verdict_sentence
from violencescore.robustness.margins import Margin
from violencescore.robustness_choices import Robustness
from violencescore.verdict import decide_posterior, require_margins

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is missing; scripts/setup-browser installs it")
EXACT = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def case():
    return page_case()


@pytest.fixture(scope="module")
def path(case, tmp_path_factory):
    return written(tmp_path_factory.mktemp("page"), case.html)


def written(folder: Path, html: str) -> Path:
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    return path


def set_weight(page, category: int, value: float) -> None:
    page.fill(f"#n{category}", repr(value))
    page.press(f"#n{category}", "Enter")


def settle(page) -> None:
    """Wait for what is searched after the page was drawn."""
    expect(page.locator("#flips-conclusion")).not_to_contain_text("…")


def assert_as_in_python(page, case, weights, per=None) -> None:
    """Every table that ranks says what Python says of the same draws and weights."""
    ranking = case.ranking(weights, per)
    names = ranking["name"].tolist()
    found = table(page, "#ranks > .scroll table")
    assert [row[0] for row in found] == names
    exact = ranking[["p_first", "p_first_mcse", "expected_rank"]].to_numpy()
    np.testing.assert_allclose([[float(cell) for cell in row[1:4]] for row in found], exact, **EXACT)
    heat = numbers(page, "#heat table")
    columns = [f"p_rank_{j + 1}" for j in range(len(names))]
    np.testing.assert_allclose(list(heat.values()), ranking[columns].to_numpy(), **EXACT)
    scores = numbers(page, "#scores table")
    wanted = ranking[["score_median", "score_low", "score_high"]].to_numpy()
    np.testing.assert_allclose(list(scores.values()), wanted, rtol=1e-9, atol=1e-15)
    pairs = case.pairs(weights, per).set_index(["organization_id", "other_id"])["p_greater"]
    ids = ranking["organization_id"].tolist()
    shown = table(page, "#pairs table")
    for i, row in enumerate(ids):
        for j, other in enumerate(ids):
            if row != other:
                assert float(shown[i][j + 1]) == pytest.approx(pairs[row, other], abs=1e-9)


# Numbers


@pytest.mark.parametrize("per", ["none", "revenue"])
def test_recomputed_numbers_are_those_of_python(browser, case, path, per):
    weights = [c.weight for c in case.methodology.category]
    with opened(browser, path) as page:
        assert_as_in_python(page, case, weights)
        page.select_option("#per", per)
        for category, value in ((1, 7.3), (0, 0.0), (4, 0.1234567890123)):
            set_weight(page, category, value)
            weights[category] = value
            assert_as_in_python(page, case, weights, per)
        assert page.is_visible("#bar")
        page.click("#back")
        assert page.is_hidden("#bar")
        assert_as_in_python(page, case, [c.weight for c in case.methodology.category])


def test_a_slider_moved_by_keys_moves_every_number(browser, case, path):
    with opened(browser, path) as page:
        page.focus("#w1")
        for _ in range(12):
            page.keyboard.press("ArrowRight")
        weights = [c.weight for c in case.methodology.category]
        weights[1] = float(page.input_value("#w1"))
        assert weights[1] > 2.5
        assert_as_in_python(page, case, weights)


@pytest.mark.parametrize(
    "options",
    [
        {"n": 1, "panel": False},
        {"n": 2, "chains": 1, "draws": 9, "revenue": False},
        {"n": 3, "chains": 2, "draws": 301, "spread": 0.0},
        {"n": 12, "categories": 14, "draws": 150, "spread": 0.5},
        {"score": {"estimand": "rate"}, "decision": {"margin": 0.2}},
        {"score": {"per": "revenue"}},
    ],
)
def test_pages_of_every_size_and_kind_check_their_own_figures(browser, tmp_path, options):
    case = page_case(**options)
    with opened(browser, written(tmp_path, case.html)) as page:
        said = page.inner_text("#self-check")
        assert said.startswith("Checked just now"), said
        assert float(re.search(r"difference (\S+)\)", said)[1]) < 1e-9
        set_weight(page, 0, 1.75)
        weights = [1.75, *[c.weight for c in case.methodology.category][1:]]
        if options.get("n") != 1:
            assert_as_in_python(page, case, weights)
        # What the rule looks at, by the margin, shows in the table of stretches: its ends move with it.
        assert page.inner_text("#confidence-verdict")


def test_a_page_whose_draws_were_changed_says_so(browser, case, tmp_path):
    _, data = page_parts(case.html)
    data["ranking"][0]["p_first"] += 0.001
    html = re.sub('(?<=id="data">).*?(?=</script>)', lambda _: json.dumps(data), case.html, flags=re.DOTALL)
    with opened(browser, written(tmp_path, html)) as page:
        assert page.inner_text("#self-check").startswith("WARNING")


def test_the_verdict_at_any_confidence_is_python_s(browser, tmp_path):
    case = page_case(decision={"margin": 0.1}, spread=9.0, n=3, seed=5)
    with opened(browser, written(tmp_path, case.html)) as page:
        for confidence in (0.55, 0.7, 0.8, 0.95, 0.99):
            page.eval_on_selector(
                "#confidence", f"e => {{ e.value = {confidence}; e.dispatchEvent(new Event('input')); }}"
            )
            decision = decide_posterior(case.posterior, case.methodology, case.context.diagnostics, confidence)
            assert page.inner_text("#confidence-verdict").endswith(verdict_sentence(decision))
        assert len(table(page, "#by-confidence table")) > 1


@pytest.mark.parametrize("preset", ["equal", "killings", "panelist-0", "panelist-2"])
def test_presets_rank_as_python_ranks_under_those_weights(browser, case, path, preset):
    published = np.array([c.weight for c in case.methodology.category])
    kinds = np.array([c.element == "killing" for c in case.methodology.category])
    if preset.startswith("panelist"):
        weights = case.posterior["weights"]["panel_weight"].values[int(preset[-1])]
    else:
        weights = {"equal": np.ones(len(published)), "killings": published * kinds}[preset]
    ranking = case.ranking(weights)
    with opened(browser, path) as page:
        page.select_option("#preset", preset)
        found = table(page, "#ranks > .scroll table")
        assert [row[0] for row in found] == ranking["name"].tolist()
        np.testing.assert_allclose([float(row[1]) for row in found], ranking["p_first"], **EXACT)


def test_the_weight_at_which_another_is_first_is_such_a_weight(browser, path, case):
    weights = [c.weight for c in case.methodology.category]
    leader = case.ranking(weights)["name"].iloc[0]
    with opened(browser, path) as page:
        settle(page)
        rows = page.eval_on_selector(
            "#flips-conclusion + .scroll table",
            "t => [...t.tBodies[0].rows].map(r => [...r.cells].slice(2).map(c => [c.querySelector('data').value, c.textContent]))",
        )
    checked = 0
    for category, ends in enumerate(rows):
        for value, text in ends:
            if value:
                moved = [*weights[:category], float(value), *weights[category + 1 :]]
                first = case.ranking(moved)["name"].iloc[0]
                assert first != leader and first in text
                back = weights[category] + (float(value) - weights[category]) * 0.99
                assert case.ranking([*weights[:category], back, *weights[category + 1 :]])["name"].iloc[0] == leader
                checked += 1
    assert checked


# Words


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_says_the_verdict_as_the_package_does(browser, tmp_path, outcome):
    html = render_page(DECISIONS[outcome], PageContext("Bare"))
    with opened(browser, written(tmp_path, html)) as page:
        assert page.inner_text("#published-verdict") == verdict_sentence(DECISIONS[outcome])
        assert ("inspection only" in page.inner_text("main")) == (outcome == "not_estimable")


@pytest.mark.parametrize("otherwise", ["no_selection", "extend"])
@pytest.mark.parametrize(
    ("found", "said"), [(None, "not examined"), (2.0, "Found: 2. That is not enough."), (3.0, "Found: 3.")]
)
def test_what_is_required_besides_is_said_with_the_verdict(browser, tmp_path, otherwise, found, said):
    margins = [Margin("handful", None, found, found, found, 0.0, "incidents", "", "refit")] if found else []
    rule = Robustness(minimum={"handful": 3.0}, otherwise=otherwise)
    decision = require_margins(DECISIONS["selected"], rule, margins)
    with opened(browser, written(tmp_path, render_page(decision, PageContext("Bare")))) as page:
        assert page.inner_text("#published-verdict") == verdict_sentence(decision)
        assert said in page.inner_text("#verdict")


@pytest.mark.parametrize(
    ("counts", "rule"),
    [
        ([3590, 250, 160], {}),
        ([4000, 0], {"per": "revenue", "scale": 1e-6}),
        ([2000, 2000], {"estimand": "rate"}),
        ([3700, 300], {"margin": 0.1}),
        ([3650, 350], {"confidence": 0.925}),
    ],
)
def test_frequencies_near_the_line_keep_their_order(browser, tmp_path, counts, rule):
    decision = decision_with(counts, **rule)
    with opened(browser, written(tmp_path, render_page(decision, PageContext("x")))) as page:
        assert page.inner_text("#published-verdict") == verdict_sentence(decision)


def test_spanish_says_the_same_numbers_and_leaves_no_english(browser, case, path):
    with opened(browser, path) as page:
        settle(page)
        english = page.inner_text("main")
        page.click("button[lang=es]")
        assert page.get_attribute("html", "lang") == "es"
        assert page.evaluate("document.activeElement.lang") == "es"
        settle(page)
        spanish = page.inner_text("main")
        said = page.inner_text("#published-verdict")
        assert re.search(r"designa a|ninguna organización", said)
        assert (
            re.findall(r"\d+ de \d+", said) == [s.replace("of", "de") for s in re.findall(r"\d+ of \d+", english)][:2]
        )
        assert sorted(re.findall(r"\d\.\d\d\b", english)) == sorted(re.findall(r"\d\.\d\d\b", spanish))
        for word in ("undefined", "probability", "weights", "organization", "{", "null", "NaN"):
            assert word not in re.sub("weights combine|panel_weights|any weights", "", spanish), word
        page.click("button[lang=en]")
        settle(page)
        assert page.inner_text("main") == english


def test_a_spanish_browser_opens_it_in_spanish(browser, path):
    with opened(browser, path, "", locale="es-MX") as page:
        assert page.get_attribute("html", "lang") == "es"


def test_what_was_published_stays_in_sight_beside_a_what_if(browser, path):
    with opened(browser, path) as page:
        published = page.inner_text("#published-verdict")
        assert page.is_hidden("#whatif-verdict")
        set_weight(page, 0, 0.0)
        set_weight(page, 1, 40.0)
        assert page.inner_text("#published-verdict") == published
        assert page.is_visible("#whatif-verdict")
        assert "not the published verdict" in page.inner_text(".whatif-box")
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        assert page.evaluate("document.querySelector('#bar').getBoundingClientRect().top") >= 0


# Carrying settings and weights


def test_a_setting_travels_by_address_and_by_file(browser, path, tmp_path):
    with opened(browser, path) as page:
        set_weight(page, 2, 5.5)
        page.select_option("#per", "revenue")
        page.wait_for_url(lambda address: "per=revenue" in address)
        fragment = page.evaluate("location.hash")
        before = table(page, "#ranks > .scroll table")
        with page.expect_download() as download:
            page.click("#save-setting")
        download.value.save_as(tmp_path / "setting.json")
    with opened(browser, path, fragment) as page:
        assert table(page, "#ranks > .scroll table") == before
    with opened(browser, path) as page:
        page.set_input_files("#setting-file", tmp_path / "setting.json")
        page.wait_for_selector("#bar:not([hidden])")
        assert table(page, "#ranks > .scroll table") == before
        (tmp_path / "bad.json").write_text(json.dumps({"format": "violencescore setting 1", "weights": {"x": -1}}))
        page.set_input_files("#setting-file", tmp_path / "bad.json")
        expect(page.locator("#weights .status")).to_contain_text("no setting")
        assert table(page, "#ranks > .scroll table") == before


@pytest.mark.parametrize(
    "fragment", ["#w=1;2", "#w=a;b;c;d;e&per=none&c=0.9", "#w=1;1;1;1;-1&per=none&c=0.9", "#per=x&lang=xx&w=<img>"]
)
def test_an_address_that_is_no_setting_changes_nothing(browser, path, fragment):
    with opened(browser, path, fragment) as page:
        assert page.is_hidden("#bar")


def test_a_panelist_s_form_is_taken_by_weights_combine(browser, case, path, tmp_path):
    wanted = {"=Ana": [100, 80, 60, 20, 5], "Bruno": [10, 100, 30, 30, 7.25]}
    files = []
    with opened(browser, path) as page:
        page.click("#save-form")
        assert "who you are" in page.inner_text("#form .status")
        for panelist, points in wanted.items():
            page.fill("#panelist", panelist)
            for c, value in enumerate(points):
                page.fill(f"#p{c}", str(value))
            page.fill("#u4", "20")
            with page.expect_download() as download:
                page.click("#save-form")
            files.append(tmp_path / download.value.suggested_filename)
            download.value.save_as(files[-1])
            page.click("button[lang=es]")  # the question is in the other language; the answers are read alike
        page.fill("#p0", "99")
        page.fill("#panelist", "Bruno")
        for c in range(5):
            page.fill(f"#p{c}", "50")
        page.click("#save-form")
        assert "50" in page.inner_text("#form .status")
    out = tmp_path / "panel_weights.csv"
    done = CliRunner().invoke(app, ["weights", "combine", *map(str, files), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    lines = out.read_text().splitlines()
    assert len(lines) == 11 and {line.split(",")[0] for line in lines[1:]} == {"'=Ana", "Bruno"}
    last = [float(line.split(",")[-1]) for line in lines if line.startswith("Bruno")]
    share = np.array([10, 100, 30, 30, 7.25 / 20])
    np.testing.assert_allclose(last, share / share.sum(), rtol=1e-9)


# Everybody can use it


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("width", [1400, 380])
def test_axe_finds_no_serious_fault(browser, case, tmp_path, language, width):
    incidents = hand_incidents(case.decision.organizations)
    html = page_case(incidents=incidents, spread=0.0).html
    fragment = f"#lang={language}&w=1;2;3;4;5&per=none&c=0.8"
    with opened(
        browser, written(tmp_path, html), fragment, viewport={"width": width, "height": 900}, bypass_csp=True
    ) as page:
        page.eval_on_selector_all("details", "all => all.forEach(details => { details.open = true; })")
        found = Axe().run(page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in serious] == []


def test_every_control_is_reached_and_worked_by_keys(browser, path):
    with opened(browser, path) as page:
        wanted = set(page.eval_on_selector_all(
            "button:enabled, a[href], select, summary, input",
            "all => all.filter(e => e.checkVisibility()).map((e, i) => { e.dataset.place = String(i); return String(i); })",
        ))  # fmt: skip
        reached = set()
        for _ in range(len(wanted) + 40):
            page.keyboard.press("Tab")
            place = page.evaluate("document.activeElement.dataset.place ?? ''")
            reached.add(place)
        assert wanted <= reached
        page.focus("#first summary")
        page.keyboard.press("Enter")
        assert page.is_visible("#first table")
        page.focus("button[lang=es]")
        page.keyboard.press("Space")
        assert page.get_attribute("html", "lang") == "es"


def test_every_chart_has_a_caption_a_table_and_files(browser, tmp_path, case):
    html = page_case(incidents=hand_incidents(case.decision.organizations)).html
    with opened(browser, written(tmp_path, html)) as page:
        ids = page.eval_on_selector_all("figure", "all => all.map(figure => figure.id)")
        assert set(ids) == {
            "worlds", "first", "heat", "scores", "pairs", "by-confidence", "composition", "staged", "waterfall",
        }  # fmt: skip
        for key in ids:
            assert len(page.inner_text(f"#{key} figcaption")) > 40
            assert table(page, f"#{key} table")
            assert page.get_attribute(f"#{key} svg", "role") == "img"
            for kind, save in (("SVG", "svg"), ("PNG", "png"), ("CSV", "csv")):
                with page.expect_download() as download:
                    page.click(f"#{key} .tools button:text('{kind}')")
                assert download.value.suggested_filename == f"{key}.{save}"
                content = Path(download.value.path()).read_bytes()
                if save == "svg":
                    root = ElementTree.fromstring(content)
                    assert root.tag == "{http://www.w3.org/2000/svg}svg" and float(root.get("height")) > 50
                elif save == "png":
                    assert content.startswith(b"\x89PNG") and len(content) > 2000
                else:
                    assert len(content.decode().splitlines()) == len(table(page, f"#{key} table")) + 1


def test_printing_gives_a_document(browser, path):
    with opened(browser, path) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        for hidden in ("nav", "#form", ".tools", "button[lang=en]", "#preset"):
            assert page.is_hidden(hidden)
        for shown in ("#published-verdict", "#heat table", "#first svg", "#self-check", "#w0"):
            assert page.is_visible(shown)
        assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("n", [4, 12])
def test_a_phone_shows_it_without_scrolling_sideways(browser, tmp_path, n):
    html = page_case(n=n, categories=7, incidents=hand_incidents([f"g{k}" for k in range(n)])).html
    with opened(browser, written(tmp_path, html), viewport={"width": 360, "height": 740}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_hostile_names_ids_and_texts_are_text(browser, tmp_path):
    n = len(HOSTILE)
    case = page_case(n=n, names=HOSTILE)
    panel = case.context.panel.assign(panelist_id=HOSTILE[:3])
    weights = case.posterior["weights"]["panel_weight"].assign_coords(panelist=list(HOSTILE[:3]))
    case.posterior["weights"] = weights.to_dataset(name="panel_weight")
    context = {
        "title": SCRIPT, "messages": HOSTILE, "run": {"seed": SCRIPT, SCRIPT: {SCRIPT: SCRIPT}}, "panel": panel,
        "posterior": case.posterior, "incidents": hand_incidents(case.decision.organizations, SCRIPT),
        "evidence": {
            "named": [{"organization_id": "g0", "channel": SCRIPT, "named": 1.0, "other": 1.0, "silent": 0.0, "blamed": 2.0}],
            "staged": [],
        },
        "publication": {"commitments": [{"at": SCRIPT, "sha256": SCRIPT, "reason": SCRIPT}], "key": SCRIPT},
    }  # fmt: skip
    html = render_page(case.decision, PageContext(**{**vars(case.context), **context}))
    assert html.count("<script") == 3
    assert not set(html) & set("\x1b\x00\u202e\u200f\u2066")
    with opened(browser, written(tmp_path, html)) as page:
        page.click("button[lang=es]")
        set_weight(page, 0, 9.0)
        assert page.evaluate("document.querySelectorAll('img, main script').length") == 0
        text = page.inner_text("body")
        assert text.count("alert(1)") > 5
        assert "{{ 7*7 }}" in text
        assert r"\u202eevil" in text


def test_without_organizations_or_draws_it_still_says_so(browser, tmp_path):
    from violencescore.decision import decide

    empty = decide(np.empty((100, 0)), DECISIONS and page_case(n=2).methodology, names=[])
    with opened(browser, written(tmp_path, render_page(empty, PageContext("Bare")))) as page:
        assert "no organization to rank" in page.inner_text("#published-verdict")
