"""The verdict: the rule at and around its lines, and that no two outputs disagree."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from violencescore.decision import RECORDED_ONLY, decide, needs_more_draws
from violencescore.methodology import shipped_methodology
from violencescore.montecarlo import Probability
from violencescore.ranks import N_ERRORS, first_probability

OUTCOMES = {"selected", "no_selection", "extend", "not_estimable"}
KLEIMAN = shipped_methodology("kleiman-2011")


def methodology(*, per="none", estimand="realized", **decision):
    rule = KLEIMAN.decision.model_copy(update={"confidence": 0.9, "margin": 0.0, "extend_within": 0.1} | decision)
    score = KLEIMAN.score.model_copy(update={"per": per, "estimand": estimand})
    return KLEIMAN.model_copy(update={"decision": rule, "score": score})


def scores_with(counts, *, chains=4, shuffle=3, height=10.0):
    """Return well-mixed (chain, draw, organization) scores; organization k is first in counts[k] draws."""
    winners = np.random.default_rng(shuffle).permutation(np.repeat(np.arange(len(counts)), counts))
    values = 1 + height * np.eye(len(counts))[winners].reshape(chains, -1, len(counts))
    # Continuous scores, as real ones: the order of each draw is kept.
    values += np.random.default_rng(4).uniform(0, 0.5, values.shape)
    coords = {"organization": [f"g{k}" for k in range(len(counts))]}
    return xr.DataArray(values, dims=("chain", "draw", "organization"), coords=coords)


def text(decision):
    return " ".join(decision.reasons)


def test_a_clear_leader_is_selected():
    decision = decide(scores_with([3900, 60, 40]), methodology())
    assert (decision.outcome, decision.selected, decision.leader) == ("selected", "g0", "g0")
    assert decision.smallest_set == ("g0",)
    assert decision.p_first["g0"].p == 3900 / 4000
    assert decision.p_stand_out == decision.p_first["g0"]
    assert decision.reasons[0].startswith("Selected:")
    assert not needs_more_draws(decision)


def test_a_leader_far_below_the_line_is_not_selected():
    decision = decide(scores_with([1800, 1200, 1000]), methodology())
    assert (decision.outcome, decision.selected, decision.selected_score) == ("no_selection", None, None)
    assert decision.smallest_set == ("g0", "g1", "g2")
    assert not needs_more_draws(decision)


def test_a_leader_just_below_the_line_calls_for_more_weeks():
    decision = decide(scores_with([3360, 400, 240]), methodology())
    assert decision.outcome == "extend"
    assert "More weeks could settle it" in text(decision)
    assert not needs_more_draws(decision)


@pytest.mark.parametrize("first", [3590, 3600, 3610])
def test_a_leader_within_the_error_of_the_line_calls_for_more_draws(first):
    decision = decide(scores_with([first, 4000 - first]), methodology())
    assert decision.outcome == "extend"
    assert "More draws would settle it" in text(decision)
    assert needs_more_draws(decision)


def test_near_the_line_more_draws_are_called_for_even_when_no_extension_is_offered():
    decision = decide(scores_with([3590, 410]), methodology(extend_within=0.0))
    assert decision.outcome == "extend"
    assert decide(scores_with([3400, 600]), methodology(extend_within=0.0)).outcome == "no_selection"


def test_being_above_the_line_by_less_than_two_errors_selects_nobody():
    decision = decide(scores_with([3620, 380]), methodology())
    leader = decision.p_first["g0"]
    assert leader.p > 0.9 > leader.p - N_ERRORS * leader.mcse
    assert decision.selected is None


def test_a_tie_for_the_lead_is_never_selected():
    draws = np.repeat(np.array([[5.0, 5.0, 1.0]]), 4000, axis=0)
    decision = decide(draws, methodology(confidence=0.51, extend_within=0.0), names=["a", "b", "c"])
    assert decision.outcome == "no_selection"
    assert decision.p_first["a"].p == decision.p_first["b"].p == 0.5


def test_all_scores_zero_is_not_estimable():
    decision = decide(np.zeros((4000, 3)), methodology(), names=["a", "b", "c"])
    assert decision.outcome == "not_estimable"
    assert "No violence was counted" in text(decision)


def test_nobody_to_rank_is_not_estimable():
    decision = decide(np.empty((100, 0)), methodology(), names=[])
    assert (decision.outcome, decision.leader, decision.p_stand_out) == ("not_estimable", None, None)
    assert "no organization to rank" in text(decision)
    assert decision.to_json_dict()["p_first"] == {}


def test_a_lone_organization_is_first_and_the_reasons_say_why():
    decision = decide(scores_with([4000]), methodology())
    assert decision.selected == "g0"
    assert "first by being alone" in text(decision)


@pytest.mark.parametrize("make", [dict, lambda **fields: SimpleNamespace(**fields)])
def test_a_sampler_that_has_not_converged_is_refused_with_its_figures(make):
    diagnostics = make(converged=False, max_rhat=1.234, min_ess=55.0, divergences=7, reasons=["Mirror modes."])
    decision = decide(scores_with([3900, 100]), methodology(), diagnostics=diagnostics)
    assert (decision.outcome, decision.selected) == ("not_estimable", None)
    assert "R-hat 1.234, smallest effective sample 55, divergences 7" in decision.reasons[0]
    assert "Mirror modes." in decision.reasons
    assert not needs_more_draws(decision)


def test_diagnostics_that_only_say_no_are_enough():
    decision = decide(scores_with([3900, 100]), methodology(), diagnostics={"converged": False})
    assert decision.outcome == "not_estimable"


def test_diagnostics_that_do_not_say_whether_the_sampler_converged_are_an_error():
    with pytest.raises(ValueError, match="'converged' is missing"):
        decide(scores_with([3900, 100]), methodology(), diagnostics={"max_rhat": 1.0})


def test_chains_that_disagree_are_refused_when_no_diagnostics_come_along():
    scores = scores_with([3900, 100])
    scores[0] = scores[0] + [20.0, 0.0]
    decision = decide(scores, methodology())
    assert decision.outcome == "not_estimable"
    assert "chains disagree on the score of g0" in text(decision)
    trusted = decide(scores, methodology(), diagnostics={"converged": True})
    # Whoever vouches for such chains still pays for them: few effective draws, a wide error, no selection.
    assert trusted.outcome == "extend"
    assert trusted.p_first["g0"].mcse > 10 / 4000


def test_chains_that_disagree_about_an_also_ran_do_not_matter():
    scores = scores_with([3900, 100])
    scores[0] = scores[0] - [0.0, 0.9]
    assert decide(scores, methodology()).outcome == "selected"


def test_few_draws_of_several_chains_are_not_tested_for_agreement():
    decision = decide(scores_with([2, 1, 1], chains=2), methodology())
    assert decision.outcome in OUTCOMES - {"not_estimable", "selected"}


def test_a_margin_asks_that_the_leader_exceeds_the_second_by_that_share():
    scores = scores_with([4000, 0], height=1.0)
    assert decide(scores, methodology(margin=0.0)).outcome == "selected"
    decision = decide(scores, methodology(margin=0.8))
    expected = first_probability(scores, 0.8)["g0"]
    assert decision.p_stand_out == expected
    assert 0.3 < expected.p < 0.8
    assert decision.outcome == "no_selection"
    assert decision.p_first["g0"].p == 1
    assert "exceeds every other by 80 % or more" in decision.reasons[0]


def test_another_confidence_is_applied_and_told():
    scores = scores_with([3360, 640])
    decision = decide(scores, methodology(), confidence=0.75)
    assert (decision.outcome, decision.confidence_required) == ("selected", 0.75)
    assert "0.75 was asked for in place of the 0.9" in text(decision)
    assert "in place of" not in text(decide(scores, methodology(), confidence=0.9))


@pytest.mark.parametrize("confidence", [0.5, 1.0, 0.0, 90.0, math.nan])
def test_a_confidence_outside_one_half_to_one_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        decide(scores_with([3900, 100]), methodology(), confidence=confidence)


def test_total_violence_against_the_baseline_is_a_probability_with_an_error():
    ratio = xr.DataArray(np.tile([0.5, 1.0, 1.5, np.inf], (4, 1000)), dims=("chain", "draw"))
    decision = decide(scores_with([3900, 100]), methodology(), baseline_ratio=ratio)
    assert decision.p_not_above_baseline.p == 0.5
    assert decision.p_not_above_baseline.mcse > 0
    assert "not above the baseline" in text(decision)
    flat = decide(scores_with([3900, 100]), methodology(), baseline_ratio=ratio.values.ravel())
    assert flat.p_not_above_baseline.p == 0.5
    assert decide(scores_with([3900, 100]), methodology()).p_not_above_baseline is None


@pytest.mark.parametrize("ratio", [[0.5, math.nan], [-1.0], []])
def test_a_ratio_that_is_none_is_refused(ratio):
    with pytest.raises(ValueError, match="baseline_ratio"):
        decide(scores_with([3900, 100]), methodology(), baseline_ratio=np.array(ratio))


def test_the_selected_score_is_that_of_the_ranking_and_tells_about_the_winners_curse():
    decision = decide(scores_with([3900, 60, 40]), methodology())
    row = decision.ranking.iloc[0]
    score = decision.selected_score
    assert (score.median, score.low, score.high) == (row.score_median, row.score_low, row.score_high)
    assert score.low < score.median < score.high
    assert "shrunk" in score.note and "as good as their model" in score.note


def test_reasons_name_what_is_counted_and_what_is_not():
    decision = decide(scores_with([1800, 2200]), methodology(estimand="rate", per="revenue"))
    assert decision.reasons[-1] == RECORDED_ONLY
    assert "recorded violence only: unreported violence is not estimated" in text(decision)
    assert "tends to do" in text(decision)
    assert "per unit of revenue" in text(decision)
    assert decision.ranking["score_mean"].isna().all()
    assert "did in the window" in text(decide(scores_with([1800, 2200]), methodology()))


def test_reasons_show_names_and_outputs_keep_ids():
    decision = decide(scores_with([3900, 100]), methodology(), names={"g0": "Los Primeros"})
    assert "Los Primeros" in decision.reasons[0]
    assert decision.names == {"g0": "Los Primeros", "g1": "g1"}
    assert decision.to_json_dict()["selected"] == "g0"


@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_figures_in_the_reasons_are_those_of_the_ranking(margin):
    decision = decide(scores_with([1800, 1200, 1000]), methodology(margin=margin))
    table = decision.ranking.set_index("organization_id")
    pair = decision.pairwise.set_index(["organization_id", "other_id"]).loc[("g0", "g1")]
    first = {g: Probability(table.loc[g, "p_first"], table.loc[g, "p_first_mcse"]) for g in ("g0", "g1")}
    said = text(decision)
    assert re.search(r"probability that g0 .*? is (\S+) ", said)[1] == str(decision.p_stand_out)
    assert re.search(r"runner-up, g1, .*? probability (\S+) ", said)[1] == str(first["g1"])
    above = re.search(r"g0 scores above g1 with probability (\S+) ", said)[1]
    assert above == str(Probability(pair["p_greater"], pair["mcse"]))
    if margin:
        assert re.search(r"g0 has the highest score with probability (\S+) ", said)[1] == str(first["g0"])


def test_the_json_carries_the_keys_of_the_interface_and_survives_a_round_trip():
    decision = decide(scores_with([3900, 60, 40]), methodology(), baseline_ratio=np.ones(4000))
    data = decision.to_json_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert {"outcome", "selected", "confidence_required", "estimand", "per", "p_first"} <= set(data)
    assert {"reasons", "methodology"} <= set(data)
    assert data["methodology"] == {
        "id": KLEIMAN.id,
        "version": KLEIMAN.version,
        "sha256": methodology().sha256,
    }
    assert data["p_first"]["g1"] == {"p": 60 / 4000, "mcse": decision.p_first["g1"].mcse}
    assert [type(value) for value in data["p_first"]["g0"].values()] == [float, float]


def test_a_decision_cannot_be_changed():
    decision = decide(scores_with([3900, 100]), methodology())
    with pytest.raises(AttributeError):
        decision.outcome = "selected"


def test_draws_that_are_not_finite_are_an_error_not_a_verdict():
    with pytest.raises(ValueError, match="not finite"):
        decide(np.array([[1.0, np.nan]]), methodology(), names=["a", "b"])


@given(
    scores=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 60), st.integers(0, 5)), elements=st.integers(0, 3).map(float)
    ),
    confidence=st.sampled_from([0.51, 0.75, 0.9, 0.99]),
    margin=st.sampled_from([0.0, 0.2]),
    extend_within=st.sampled_from([0.0, 0.1, 0.4]),
    converged=st.sampled_from([None, True, False]),
)
def test_every_input_has_one_outcome_and_the_outcome_follows_the_rule(
    scores, confidence, margin, extend_within, converged
):
    names = [f"g{k}" for k in range(scores.shape[1])]
    rule = methodology(confidence=confidence, margin=margin, extend_within=extend_within)
    diagnostics = None if converged is None else {"converged": converged}
    decision = decide(scores, rule, names=names, diagnostics=diagnostics)
    lead = decision.p_stand_out
    if not names or converged is False or not scores.any():
        expected = "not_estimable"
    elif lead.p - 2 * lead.mcse >= confidence:
        expected = "selected"
    elif lead.p >= confidence - extend_within - 1e-9 or lead.p + 2 * lead.mcse >= confidence:
        expected = "extend"
    else:
        expected = "no_selection"
    assert decision.outcome == expected
    assert (decision.selected is not None) == (decision.outcome == "selected")
    assert (decision.selected_score is not None) == (decision.outcome == "selected")
    if decision.selected is not None:
        assert decision.selected == decision.ranking["organization_id"].iloc[0]
        assert decision.smallest_set == (decision.selected,)
    json.dumps(decision.to_json_dict(), allow_nan=False)
    table = decision.ranking.set_index("organization_id")
    for key, value in decision.p_first.items():
        assert (value.p, value.mcse) == (table.loc[key, "p_first"], table.loc[key, "p_first_mcse"])
        assert value.p == float(decision.rank_probabilities.sel(organization=key, rank=1))


@given(st.permutations(range(4)))
def test_the_verdict_does_not_depend_on_the_order_of_the_organizations(order):
    scores = scores_with([3900, 60, 40, 0])
    before = decide(scores, methodology()).to_json_dict()
    after = decide(scores.isel(organization=list(order)), methodology()).to_json_dict()
    assert after == before


def test_where_nothing_names_anybody_there_is_no_verdict_however_sure_the_draws() -> None:
    checks = {"converged": True, "named": 0}
    decision = decide(scores_with([3900, 100]), methodology(), diagnostics=checks)
    assert decision.outcome == "not_estimable"
    assert decision.selected is None
    assert "names any of them" in decision.reasons[0] + decision.reasons[1]
    assert decide(scores_with([3900, 100]), methodology(), diagnostics={**checks, "named": 1}).outcome == "selected"


@pytest.mark.parametrize(
    ("estimand", "in_series", "told"), [("rate", True, 1), ("rate", False, 0), ("realized", True, 0)]
)
def test_rates_of_what_comes_in_series_are_said_to_be_too_sure(estimand, in_series, told):
    rules = methodology(estimand=estimand)
    if in_series:
        rules = rules.model_copy(update={"episodes": rules.episodes.model_copy(update={"repeat": (1.0, 1.0)})})
    reasons = decide(scores_with([3900, 60, 40]), rules).reasons
    assert sum("come in series" in reason for reason in reasons) == told
