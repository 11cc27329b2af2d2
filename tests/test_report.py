"""What people read in words and tables: every number is the decision's, every outcome has its words."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import DECISIONS, HOSTILE, KLEIMAN, OUTCOMES, decision_with, spread_over
from rich.console import Console

from violencescore.decision import RECORDED_ONLY, decide
from violencescore.errors import Fault
from violencescore.montecarlo import Probability, format_probability
from violencescore.report.sentences import (
    OUTCOME_LABELS,
    verdict_sentence,
)
from violencescore.report.tables import (
    faults_table,
    naive_comparison_table,
    ranking_table,
    verdict_panel,
)
from violencescore.report.text import cell_format, number_format, shown_text, worlds, worlds_against


def printed(renderable, width=80):
    console = Console(width=width, file=None, record=True, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


# Words


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_fixture_has_all_four_outcomes(outcome):
    assert DECISIONS[outcome].outcome == outcome


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("selected", "Group 0 is named: it was the most violent in 98 of 100 worlds"),
        (
            "no_selection",
            "No organization is named: Group 0, the likeliest, was the most violent in 45 of 100",
        ),
        ("extend", "No organization is named yet: Group 0, the likeliest, was the most violent in 85 of 100"),
        ("not_estimable", "No verdict can be given"),
    ],
)
def test_the_verdict_is_a_sentence_with_natural_frequencies(outcome, said):
    assert verdict_sentence(DECISIONS[outcome]).startswith(said)


def test_a_selection_says_what_was_required():
    assert "90 of 100 were required" in verdict_sentence(DECISIONS["selected"])


def test_a_close_call_that_more_draws_would_settle_does_not_ask_for_more_weeks():
    decision = decision_with([3604, 250, 146])
    assert decision.outcome == "extend"
    sentence = verdict_sentence(decision)
    assert "901 of 1,000 worlds" in sentence
    assert "too near the required 900 of 1,000" in sentence
    assert "weeks" not in sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"estimand": "rate"}, "had the highest underlying rate of violence in"),
        ({"per": "revenue"}, "was the most violent per unit of revenue in"),
        ({"margin": 0.25}, "was the most violent, by 25 % or more, in"),
    ],
)
def test_the_verdict_names_its_estimand_denominator_and_margin(changes, said):
    assert said in verdict_sentence(decision_with([3900, 60, 40], **changes))


def test_a_margin_is_judged_by_the_probability_of_standing_out():
    decision = decision_with([3900, 60, 40], margin=5.0)
    assert decision.p_stand_out.p < decision.p_first["g0"].p
    assert worlds(decision.p_stand_out.p, decision.p_stand_out.mcse) in verdict_sentence(decision)


def test_without_organizations_there_is_a_sentence_too():
    empty = decide(np.empty((100, 0)), KLEIMAN, names=[])
    assert "no organization to rank" in verdict_sentence(empty)
    assert printed(ranking_table(empty))


@given(
    p=st.floats(0, 1),
    required=st.sampled_from([0.6, 0.75, 0.9, 0.95, 0.975, 0.99, 0.999, 1 / 1.5]),
    mcse=st.floats(1e-4, 1e-3),
)
def test_frequencies_never_cross_the_bar_by_rounding(p, required, mcse):
    reached, bar = worlds_against(p, mcse, required)
    match = re.fullmatch(r"([\d,]+) of ([\d,]+)", reached)
    if match:
        count, n = (int(part.replace(",", "")) for part in match.groups())
        at = float(bar.split()[0].replace(",", "")) / n
        assert (count / n > at) == (p > required) or math.isclose(p, required, abs_tol=1e-9)
    else:
        assert reached.startswith(("more than", "fewer than", "just over", "just under"))


@given(p=st.floats(0, 1), mcse=st.floats(1e-5, 0.2))
def test_no_frequency_and_no_cell_reads_as_certain(p, mcse):
    assert not worlds(p, mcse).startswith(("100 of", "0 of"))
    assert cell_format(mcse)(p) not in {"0.00", "1.00"}


def test_a_certainty_of_few_draws_is_a_weak_bound():
    assert worlds(1.0, 0.02) == "more than 96 of 100"
    assert worlds(0.0, 0.02) == "fewer than 4 of 100"


@given(st.text(max_size=50))
def test_shown_text_holds_printable_characters_only(text):
    assert shown_text(text).isprintable()


def test_shown_text_keeps_letters_of_all_scripts_and_shortens_the_long():
    assert shown_text("Ábrego حركة 名前") == "Ábrego حركة 名前"
    assert shown_text("x" * 100, 10) == "x" * 9 + "…"
    assert shown_text("\ud800\U000e0001\u2028") == "\\ud800\\U000e0001 "


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=5), st.floats(-1e300, 1e300))
def test_any_number_can_be_written(values, value):
    shown = number_format(values)
    assert shown(math.nan) == "–"
    assert shown.heading("score").startswith("score")
    if values and all(0.01 < abs(v) < 1e6 for v in values):
        largest = max(values, key=abs)
        assert float(shown(largest).replace(",", "")) == pytest.approx(largest / shown.power, rel=0.06)
    assert isinstance(shown(value / 1e10), str)


# The terminal


@pytest.mark.parametrize("n", [1, 2, 6, 12])
@pytest.mark.parametrize("width", [80, 140])
def test_the_ranking_table_fits_and_shows_the_figures_of_the_decision(n, width):
    decision = decision_with(spread_over(n))
    lines = printed(ranking_table(decision, width), width).splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.startswith("Group ")]
    assert len(rows) == n
    ranking = decision.ranking.set_index("name")
    for line in rows:
        name, first, error, *rest = re.split(r"\s{2,}", line.strip())
        row = ranking.loc[name]
        assert first == format_probability(row["p_first"], row["p_first_mcse"])
        assert float(error.removeprefix("±")) == pytest.approx(row["p_first_mcse"], rel=0.5)
        low, high = (rest[-1].split("–") * 2)[:2]
        assert [float(rest[-2]), float(low), float(high)] == pytest.approx(
            row[["score_median", "score_low", "score_high"]].tolist(), abs=0.051
        )
        ranks = (rest[-3].split("–") * 2)[:2]
        assert [float(rank) for rank in ranks] == row[["rank_low", "rank_high"]].tolist()
        if n > 1:
            shown = cell_format(decision.ranking["p_first_mcse"].min())
            assert rest[0] == shown(row["p_rank_2"])
        if n > 6:
            assert rest[1] == shown(row["p_rank_3"])
            assert rest[2] == f"{row['expected_rank']:.1f}"


def test_the_ranking_table_says_what_a_row_means():
    words = " ".join(printed(ranking_table(DECISIONS["selected"])).split())
    assert "share of the worlds consistent with the evidence" in words
    assert "realized violence score" in words
    assert RECORDED_ONLY in words
    per = " ".join(printed(ranking_table(decision_with([3900, 100], per="revenue", scale=1e-6))).split())
    assert "realized violence score per revenue" in per
    assert "millionths" in per


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_verdict_panel_holds_the_sentence_and_all_reasons(outcome):
    decision = DECISIONS[outcome]
    words = " ".join(printed(verdict_panel(decision)).replace("│", " ").split())
    for said in (OUTCOME_LABELS[outcome], verdict_sentence(decision), *decision.reasons):
        assert said in words


def test_hostile_names_are_text_in_the_terminal():
    decision = decision_with(spread_over(len(HOSTILE)), names=HOSTILE)
    comparison = naive_comparison_table([(name, 3, Probability(0.1, 0.01), None) for name in HOSTILE])
    for renderable in (ranking_table(decision), verdict_panel(decision), comparison):
        shown = printed(renderable)
        assert not set(shown) & set("\x1b\x00\r\u202e\u200f\u2066")
        shown.encode("utf-8")
    assert "[bold red]x[/]" in printed(comparison)


def test_the_comparison_says_whom_each_would_pick():
    rows = [("A", 312, Probability(0.012, 0.002), 410.0), ("B", 120, Probability(0.97, 0.004), 611.0)]
    shown = printed(naive_comparison_table(rows))
    assert "Counting names picks A; the model B; the truth is B." in " ".join(shown.split())
    assert re.search(r"A\s+312 ◀\s+0.012\s+410", shown)
    assert re.search(r"B\s+120\s+0.97 ◀\s+611 ◀", shown)
    without = printed(naive_comparison_table([(*row[:3], None) for row in rows]))
    assert "true" not in without and "truth" not in without
    assert printed(naive_comparison_table([]))


def test_all_faults_are_listed_with_their_number_and_without_markup():
    faults = [Fault("incidents.csv", f"is [red]wrong[/] {k}", k, "date", "\x1b[31m") for k in range(2, 15)]
    shown = printed(faults_table(faults), width=200)
    assert "13 faults" in shown
    assert "\x1b" not in shown
    for fault in faults:
        assert str(fault) in shown
    assert "1 fault\n" in printed(faults_table(faults[:1])).replace(" \n", "\n").replace("  ", "")
