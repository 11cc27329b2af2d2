"""Less reporting in an organization's regions: by counting anew, and against refits of what is left of the lists."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from design_cases import simulated
from robustness_cases import fitted_basis

from violencescore.fitting import Fit, fit_assessment
from violencescore.robustness import suppression
from violencescore.robustness.basis import Basis, first_probabilities
from violencescore.robustness.suppression import home_of, suppression_curve, thinned_scores, thinned_tables


def quiet(*_: object) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def basis(small_fit: Fit, assessment_folder: Path) -> Basis:
    return fitted_basis(small_fit, assessment_folder)


@pytest.fixture(scope="module")
def listed(basis: Basis) -> Basis:
    """The same with two lists of its incidents, of which each region's miss a share that is known."""
    worlds, ids = basis.worlds, basis.tables.incidents["incident_id"].to_numpy()
    rng = np.random.default_rng(3)
    rows = [(i, s) for i in ids for s in ("daily", "radio") if rng.random() < 0.6]
    reports = pd.DataFrame(rows, columns=["incident_id", "source_id"]).assign(reported_on=pd.NaT)
    evidence = basis.tables.evidence.assign(source_id=rng.choice(["daily", "other"], len(basis.tables.evidence)))
    tables = dataclasses.replace(basis.tables, reports=reports, evidence=evidence)
    shape = (*worlds.shape, len(worlds.design.regions), len(worlds.design.periods))
    share = np.broadcast_to(np.linspace(0.4, 0.9, shape[2])[:, None], shape)
    coords = {"region": list(worlds.design.regions), "period": list(worlds.design.periods)}
    quantities = worlds.quantities.assign_coords(coords)
    quantities = quantities.assign(listed=(("chain", "draw", "region", "period"), share))
    unlisted = rng.gamma(2.0, 3.0, worlds.unlisted.shape)
    made = dataclasses.replace(basis, assessment=tables)
    made.__dict__["worlds"] = dataclasses.replace(worlds, quantities=quantities, unlisted=unlisted)
    return made


def test_reporting_in_full_changes_nothing_and_hiding_more_hides_no_less(basis: Basis, listed: Basis) -> None:
    for given in (basis, listed):
        curve = suppression_curve(given, (1.0, 0.5, 0.2))
        base = first_probabilities(given.worlds.totals())
        for k, organization in enumerate(given.ids):
            for what, sign in (("hidden", 1), ("gained", -1)):
                own = curve[(curve["organization_id"] == organization) & (curve["what"] == what)]
                p = own["p_first"].to_numpy()
                assert p[0] == base[k].p
                if given is basis:  # where others are at home as well, silence helps them too
                    assert (np.diff(sign * p) >= 0).all()


def test_unrecorded_incidents_are_as_many_as_the_reporting_says() -> None:
    u = np.random.default_rng(0).random(100_000)
    for rho in (0.8, 0.4):
        assert suppression._unseen(u, rho).mean() == pytest.approx((1 - rho) / rho, rel=0.02)
    assert (suppression._unseen(u, 0.3) >= suppression._unseen(u, 0.6)).all()
    assert (suppression._unseen(u, 1.0) == 0).all()


def test_scores_of_single_incidents_count_what_is_estimated_as_unlisted(listed: Basis) -> None:
    worlds = listed.worlds
    np.testing.assert_allclose(worlds.without(range(len(worlds.incident))), worlds.unlisted / worlds.size)


def test_what_is_hidden_grows_with_all_that_is_believed_to_be_there(listed: Basis) -> None:
    worlds, home = listed.worlds, home_of(listed, listed.ids[1])
    u = np.random.default_rng(1).random(worlds.value.shape)
    own = np.where(home.there & (worlds.actor == worlds.ranked[1]), worlds.value, 0.0).sum(axis=-1)
    more = suppression.hidden_scores(listed, 1, home, u, 0.5) - worlds.totals()
    assert (more[..., [k for k in range(len(listed.ids)) if k != 1]] == 0).all()
    assert more[..., 1].mean() == pytest.approx((own + home.unlisted[..., 1]).mean(), rel=0.15)


def test_who_is_at_home_has_there_what_the_rates_and_the_lists_say(listed: Basis) -> None:
    worlds = listed.worlds
    regions = suppression.home_regions(listed, listed.ids[0])
    missed = 1 / worlds.quantities["listed"].values[0, 0, :, 0] - 1
    presence = worlds.quantities["presence"].values[0, 0][:, worlds.ranked[0]]
    share = (presence * missed)[regions].sum() / (presence * missed).sum()
    home = home_of(listed, listed.ids[0])
    assert home.unlisted[0, 0, 0] == pytest.approx(share * worlds.unlisted[0, 0, 0])


def test_an_incident_goes_when_all_its_reports_do_and_the_unlisted_go_with_it(listed: Basis) -> None:
    worlds, home, rho = listed.worlds, home_of(listed, listed.ids[0]), 0.3
    assert home.n_reports is not None
    u = np.random.default_rng(1).random(worlds.value.shape)
    found = thinned_scores(listed, 0, home, u, rho)
    for chain, draw in ((0, 0), (1, 7)):
        scores = np.zeros(len(listed.ids))
        for j, actor in enumerate(worlds.ranked):
            there, gone = 0, 0
            for i in np.flatnonzero(worlds.actor[chain, draw] == actor):
                lost = home.there[i] and home.n_reports[i] > 0 and u[chain, draw, i] > 1 - 0.7 ** home.n_reports[i]
                scores[j] += 0.0 if lost else worlds.value[chain, draw, i]
                there, gone = there + home.there[i], gone + lost
            if there:
                scores[j] += worlds.unlisted[chain, draw, j] - home.unlisted[chain, draw, j] * gone / there
            else:
                scores[j] = found[chain, draw, j]
        np.testing.assert_allclose(found[chain, draw], scores)


def test_what_a_source_no_longer_reports_is_in_none_of_the_tables(listed: Basis) -> None:
    tables = listed.tables
    assert len(thinned_tables(listed, listed.ids[0], 1.0).reports) == len(tables.reports)
    left = thinned_tables(listed, listed.ids[0], 0.0)
    home = home_of(listed, listed.ids[0])
    at_home = set(listed.worlds.design.incident_id[listed.worlds.incident[home.there]])
    assert not left.reports["incident_id"].isin(at_home).any()
    reported = set(tables.reports["incident_id"]) & at_home
    assert reported
    assert set(tables.incidents["incident_id"]) - set(left.incidents["incident_id"]) == reported
    half = thinned_tables(listed, listed.ids[0], 0.5)
    pairs = set(half.reports[["incident_id", "source_id"]].itertuples(index=False, name=None))
    daily = half.evidence[(half.evidence["source_id"] == "daily") & half.evidence["incident_id"].isin(at_home)]
    before = set(tables.reports[["incident_id", "source_id"]].itertuples(index=False, name=None))
    said = set(daily[["incident_id", "source_id"]].itertuples(index=False, name=None))
    assert said & before <= pairs


def test_the_part_says_what_only_a_refit_would_notice(listed: Basis) -> None:
    finding = suppression.examine(listed, quiet)
    assert any("--refits" in note for note in finding.notes)
    assert set(finding.tables) == {"curve"}
    assert finding.margins[0].name == "suppression"
    assert suppression.PART.draw(finding, listed.names)


@pytest.mark.slow
def test_unnoticed_silence_does_what_a_refit_with_the_old_odds_says_and_noticed_silence_does_less() -> None:
    assessment = simulated("silenced", 3, 400)
    fitted = fit_assessment(assessment)
    methodology = assessment.methodology
    diagnostics = fitted.diagnostics.to_json_dict({})
    basis = Basis(fitted.posterior, methodology, diagnostics | {"converged": True}, assessment, n_refits=2, seed=5)
    k, rho = basis.ids.index(basis.leader), 0.2
    left = thinned_tables(basis, basis.leader, rho)
    expected = float(suppression.unnoticed_scores(basis, left, rho)[..., k].mean())
    # Recorded violence fitted again to what is left; the unlisted by the odds that were believed before.
    recorded = methodology.model_copy(
        update={"reporting": methodology.reporting.model_copy(update={"model": "recorded"})}
    )
    again = fit_assessment(dataclasses.replace(left, methodology=recorded), densities=False)
    harm = again.posterior["harms"]["harm_realized"].sel(organization=basis.leader)
    score = float((harm * basis.weights.reindex(category=harm["category"], fill_value=0.0)).sum("category").mean())
    named = again.posterior["posterior"].to_dataset().sel(period="window")
    odds = 1 / fitted.posterior["posterior"]["listed"].sel(period="window").mean(["chain", "draw"]) - 1
    missed = (named["presence"].sel(actor=basis.leader) * odds).sum("region")
    done = named["rate"].sel(actor=basis.leader) * missed
    kinds = list(done["kind"].values)
    harms = left.harms.merge(left.incidents[["incident_id"]], on="incident_id")
    worth = [
        float((harms.loc[harms["category"] == kind, "best"] * basis.weights.to_series()[kind]).mean()) for kind in kinds
    ]
    brute = score + float((done.mean(["chain", "draw"]).values * worth).sum())
    before = float(basis.values[..., k].mean())
    print(f"score {before:.1f}; unnoticed {expected:.1f}, by refit {brute:.1f}")
    assert expected < 0.9 * before
    assert expected == pytest.approx(brute, rel=0.2)
    noticed = suppression.noticed_table(basis, None, quiet).set_index("reporting")
    print(noticed)
    # What the lists notice gives back some of what was gained, never much more than was lost.
    assert noticed["converged"].all()
    assert (noticed["p_first"] > noticed["p_unnoticed"] - 3 * noticed["mcse"] - 0.05).all()
    assert noticed.loc[rho, "p_first"] < basis.decision.p_first[basis.leader].p
