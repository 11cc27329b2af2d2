"""Deterrence: gradients, escape margins, who gains, dead zones, on hand-made draws."""

import numpy as np
import pytest
from robustness_cases import hand_made, normal_harm
from scipy.stats import norm

from violencescore.errors import RefusedError
from violencescore.robustness.basis import change, first_probabilities, lead_shares, weighted_probability
from violencescore.robustness.deterrence import (
    ALL,
    bought_permission,
    critical_cuts,
    dead_zones,
    escape_curve,
    escape_margins,
    examine,
    gradient,
    gradient_table,
    who_gains,
)


def p_first(basis, organization: str, cut: float, element: str = ALL) -> float:
    """P(first) after a cut, counted anew from harms that are less."""
    curve = escape_curve(basis, [cut])
    own = curve[(curve["organization_id"] == organization) & (curve["element"] == element)]
    return float(own["p_first"].iloc[0])


def test_the_gradient_of_a_normal_gap_is_its_density_times_the_harm() -> None:
    rng = np.random.default_rng(0)
    done = rng.normal(20, 1, (4, 20_000))
    gap = rng.normal(2, 3, (4, 20_000))
    slope, error = gradient(gap, done)
    assert slope == pytest.approx(norm.pdf(0, 2, 3) * 20, abs=4 * error + 0.03)
    assert 0 < error < 0.05


@pytest.mark.parametrize("element", [ALL, "killing", "extortion"])
@pytest.mark.parametrize("organization", ["g0", "g1"])
def test_gradients_equal_finite_differences(element: str, organization: str) -> None:
    basis = hand_made(normal_harm())
    table = gradient_table(basis)
    row = table[(table["organization_id"] == organization) & (table["element"] == element)].iloc[0]
    step = 0.02
    difference = (p_first(basis, organization, -step, element) - p_first(basis, organization, step, element)) / (
        2 * step
    )
    assert row["gradient"] == pytest.approx(difference, rel=0.04)


def test_gradients_by_element_add_up_to_the_whole() -> None:
    table = gradient_table(hand_made(normal_harm(4000)))
    for _, own in table.groupby("organization_id"):
        whole = own.loc[own["element"] == ALL, "gradient"].iloc[0]
        assert own.loc[own["element"] != ALL, "gradient"].sum() == pytest.approx(whole)


def test_an_organization_is_first_after_a_cut_where_its_critical_cut_is_deeper() -> None:
    basis = hand_made(normal_harm(4000))
    cuts = critical_cuts(basis.values, basis.values)
    for cut in (0.0, 0.1, 0.3):
        assert (cuts[..., 0] > cut).mean() == pytest.approx(p_first(basis, "g0", cut))


def test_the_escape_margin_is_where_the_curve_crosses_the_level() -> None:
    basis = hand_made(normal_harm())
    table = escape_margins(basis, [0.5, 0.1]).query("organization_id == 'g0'")
    for row in table.itertuples():
        assert p_first(basis, "g0", row.cut + 1e-9) <= row.level < p_first(basis, "g0", row.cut - 1e-3)
        assert row.low <= row.cut <= row.high
        assert p_first(basis, "g0", row.high + 1e-9) < row.level < p_first(basis, "g0", row.low)


def test_whoever_is_below_the_level_need_not_cut_anything() -> None:
    table = escape_margins(hand_made(normal_harm(4000)), [0.5])
    assert table.query("organization_id == 'g2'")["cut"].item() == 0.0


def test_what_one_loses_the_others_gain() -> None:
    table = who_gains(hand_made(normal_harm(4000)))
    sums = table.groupby(["organization_id", "cut"])["change"].sum()
    np.testing.assert_allclose(sums, 0.0, atol=1e-12)
    assert (table.query("organization_id == other_id")["change"] <= 0).all()
    stopped = table.query("organization_id == 'g0' and cut == 1.0 and other_id == 'g1'")["change"].item()
    assert stopped == pytest.approx(1 - first_probabilities(hand_made(normal_harm(4000)).values)[1].p, abs=1e-3)


def test_dead_zones_are_told_apart_by_why_the_threat_does_not_reach() -> None:
    harm = np.tile(np.array([[30.0, 0.0], [4.0, 4.0], [1.0, 0.0]]), (400, 1, 1))
    zones = dead_zones(escape_curve(hand_made(harm))).set_index(["organization_id", "element"])
    assert zones.loc[("g0", ALL), "why"] == "no way out"
    assert zones.loc[("g1", ALL), "why"] == "nothing to lose"
    reachable = np.tile(np.array([[30.0, 0.0], [20.0, 4.0], [1.0, 0.0]]), (400, 1, 1))
    zones = dead_zones(escape_curve(hand_made(reachable))).set_index(["organization_id", "element"])
    assert not zones.loc[("g0", "killing"), "dead"]
    assert zones.loc[("g0", "extortion"), "dead"]  # it does none


def test_growth_buys_permission_only_where_scores_are_per_revenue() -> None:
    harm = normal_harm(4000)
    revenue = np.random.default_rng(1).lognormal(0, 0.05, harm.shape[:2])
    basis = hand_made(harm, revenue, score={"per": "revenue"})
    margins = escape_margins(basis, [0.3])
    bought = bought_permission(basis, margins).query("organization_id == 'g0'").iloc[0]
    grown = basis.values.copy()
    grown[..., 0] /= 1 + bought["growth"] + 1e-6
    assert first_probabilities(grown)[0].p == pytest.approx(0.3, abs=2e-3)
    totals = hand_made(harm)
    assert bought_permission(totals, escape_margins(totals)).empty


def test_with_a_margin_the_leader_must_stand_out() -> None:
    basis = hand_made(normal_harm(4000), decision={"margin": 0.1})
    cuts = critical_cuts(basis.values, basis.values, 0.1)
    assert (cuts[..., 0] > 0).mean() == pytest.approx(basis.decision.p_stand_out.p, abs=1e-3)


def test_the_finding_names_every_estimand_and_states_the_leaders_margins() -> None:
    finding = examine(hand_made(normal_harm(4000)), lambda *_: None)
    assert all({"estimand", "method"} <= table.attrs.keys() for table in finding.tables.values())
    assert [margin.name for margin in finding.margins] == ["escape_margin", "deterrence_gradient"]
    assert finding.margins[1].low < finding.margins[1].value < finding.margins[1].high


def test_without_a_verdict_there_is_nothing_to_change() -> None:
    basis = hand_made(np.zeros((200, 3, 2)))
    with pytest.raises(RefusedError, match="no verdict that could change"):
        examine(basis, lambda *_: None)


def test_shares_of_the_first_are_divided_in_a_tie_and_nobodys_by_a_margin() -> None:
    values = np.array([[[2.0, 2.0, 1.0], [3.0, 2.0, 1.0]]])
    np.testing.assert_allclose(lead_shares(values), [[[0.5, 0.5, 0], [1, 0, 0]]])
    np.testing.assert_allclose(lead_shares(values, 0.5), [[[0, 0, 0], [1, 0, 0]]])


def test_weighted_probabilities_know_how_few_draws_count() -> None:
    share = (np.arange(1000).reshape(2, 500) % 2).astype(float)
    weight = np.full((2, 500), 1e-9)
    weight[0, :4] = 1.0
    found = weighted_probability(share, weight / weight.sum())
    assert found.p == pytest.approx(0.5, abs=1e-3)
    assert found.mcse > 0.15
    assert weighted_probability(np.ones((2, 500))).mcse > 0


def test_changes_with_common_draws_are_more_certain_than_their_parts() -> None:
    rng = np.random.default_rng(2)
    before = (rng.random((2, 2000)) < 0.5).astype(float)
    after = np.where(rng.random((2, 2000)) < 0.02, 1.0, before)
    moved, error = change(before, after)
    assert moved == pytest.approx(after.mean() - before.mean())
    assert error < 0.3 * weighted_probability(before).mcse
