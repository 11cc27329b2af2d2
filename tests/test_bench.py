"""The methodologist's bench: likelihood, channels, waterfall, folds, scores, variants and checks; without sampling."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from design_cases import build_case, read_case, replace_tables, simulated

from violencescore import cli
from violencescore.attribution import attribute_draws
from violencescore.bench import examination, folds
from violencescore.bench.channels import channel_table, settled_accuracy, weighted_share
from violencescore.bench.checks import predictive_checks
from violencescore.bench.comparison import VARIANTS, compare_variants, incident_loo, variant_methodology
from violencescore.bench.folds import Predictions, assign_folds, predict_settled, score_table
from violencescore.bench.likelihood import log_likelihood, responsibilities, thin_draws
from violencescore.bench.scoring import (
    brier_scores,
    likelihood_ratio_cost,
    log_scores,
    reliability,
    two_class_cost,
    weighted_mean,
)
from violencescore.bench.waterfall import evidence_waterfall
from violencescore.design import UNKNOWN, Design
from violencescore.errors import InputError, RefusedError
from violencescore.model.quantities import initial_vector, quantities

ONE_PERIOD = """\
extends = "kleiman-2011"
id = "case"
version = "1"

[window]
start = 2026-07-01
end = 2026-08-26
"""


def drawn(assessment, n_draws: int = 20, spread: float = 0.4) -> tuple[Design, xr.Dataset, np.ndarray]:
    """The design, and named quantities of parameter vectors around the middle of the prior."""
    design, kernel = build_case(assessment)
    rng = np.random.default_rng(0)
    vectors = initial_vector(kernel, design) + rng.normal(0, spread, (2, n_draws, kernel.layout.size))
    return design, quantities(kernel, design, vectors), attribute_draws(kernel, design, vectors, 1).responsibility


# Likelihood.


@pytest.mark.parametrize("world", ["demo", "dyads", "framed"])
def test_responsibilities_are_those_of_the_compiled_density(world: str) -> None:
    design, posterior, expected = drawn(simulated(world, 1, 200))
    after, before, staged = responsibilities(design, posterior)
    np.testing.assert_allclose(after, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(before.sum(axis=1), 1)
    assert ((staged >= 0) & (staged <= 1)).all()


def test_responsibilities_agree_where_candidates_are_named_beside_other_evidence() -> None:
    assessment = read_case(
        organizations=["a,A,", "b,B,", "c,C,"],
        incidents=["i1,2026-07-02,r", "i2,2026-07-02,s", "i3,2026-03-02,r", "i4,2026-07-05,r"],
        harms=[f"i{i},killing,police,1,," for i in (1, 2, 3, 4)],
        evidence=[
            "i1,dyad,a,x,", "i1,dyad,b,x,", "i1,press,b,,", "i2,panel,a,y,", "i2,panel,c,y,", "i2,dyad,a,z,", "i2,dyad,b,z,",
            "i2,dyad,c,z,", "i3,dyad,c,w,", "i4,claim,other,,",
        ],
        adjudications=["i3,b,true,c", "i4,a,,"],
    )  # fmt: skip
    design, posterior, expected = drawn(assessment)
    np.testing.assert_allclose(responsibilities(design, posterior)[0], expected, rtol=1e-6, atol=1e-9)


def test_what_may_be_seen_of_an_incident_adds_up_to_one() -> None:
    # Every place and time, with silence and each name that the one channel can give: all that can happen.
    cells = [(period, region) for period in ("2026-07-02", "2026-03-02") for region in "rs"]
    incidents, evidence = [], []
    for day, region in cells:
        for name in ("", "a", "b", "c"):
            incidents.append(f"i{len(incidents)},{day},{region}")
            evidence += [f"i{len(incidents) - 1},press,{name},,"] if name else []
    harms = [f"i{i},killing,police,1,," for i in range(len(incidents))]
    assessment = read_case(organizations=["a,A,", "b,B,", "c,C,"], incidents=incidents, harms=harms, evidence=evidence)
    design, posterior, _ = drawn(assessment)
    assert len(design.groups.n) == 16
    total = np.exp(log_likelihood(design, posterior).values).sum(axis=2)
    np.testing.assert_allclose(total, 1, rtol=1e-10)


def test_draws_without_engagement_are_refused_where_candidates_are_named() -> None:
    design, posterior, _ = drawn(simulated("dyads", 1, 100), 4)
    with pytest.raises(RefusedError, match="`engagement`"):
        responsibilities(design, posterior.drop_vars("engagement"))


def test_thinning_keeps_as_many_of_each_chain() -> None:
    draws = xr.Dataset({"x": (("chain", "draw"), np.arange(200).reshape(2, 100))})
    assert thin_draws(draws, 20).sizes == {"chain": 2, "draw": 10}
    assert thin_draws(draws, 1000).sizes == {"chain": 2, "draw": 100}


# Channels.


def test_channels_have_an_accuracy_each_and_a_reach_and_notoriety_of_each_actor() -> None:
    design, posterior, _ = drawn(simulated("demo", 1, 200))
    table = channel_table(posterior)
    n, k = len(design.channels), len(design.actors)
    assert table["quantity"].value_counts().to_dict() == {"reach": n * k, "notoriety": n * k, "accuracy": n}
    assert ((table["low"] <= table["median"]) & (table["median"] <= table["high"])).all()
    row = table[(table["channel"] == design.channels[1]) & (table["quantity"] == "accuracy")].iloc[0]
    assert row["median"] == pytest.approx(float(posterior["accuracy"].isel(channel=1).median()))


def settled_case(adjudications: list[str], evidence: list[str], inclusion: list[float]) -> pd.DataFrame:
    assessment = read_case(
        organizations=["a,A,", "b,B,", "c,C,"],
        incidents=[f"i{i},2026-07-02,r" for i in range(1, 5)],
        harms=[f"i{i},killing,police,1,," for i in range(1, 5)],
        evidence=evidence,
        adjudications=adjudications,
    )
    table = assessment.adjudications.assign(inclusion_probability=inclusion)
    return settled_accuracy(replace_tables(assessment, adjudications=table)).set_index("channel")


def test_settled_incidents_say_how_often_a_channel_was_right() -> None:
    adjudications = ["i1,a,,", "i2,a,,", "i3,b,,", "i4,c,,"]
    evidence = ["i1,press,a,,", "i2,press,b,,", "i3,press,b,,", "i4,press,c,,", "i4,ballistics,a,,"]
    found = settled_case(adjudications, evidence, [0.5, 0.1, 0.5, 0.5])
    assert found.loc["press", ["n", "share"]].tolist() == [4, 0.75]
    # Chosen with probability 1/2 they count twice, the one with 1/10 ten times: 6 of 16 are right.
    assert found.loc["press", "share_weighted"] == pytest.approx(6 / 16)
    assert found.loc["press", "n_effective"] == pytest.approx(16**2 / (3 * 4 + 100))
    assert found.loc["press", "high_weighted"] - found.loc["press", "low_weighted"] > 0.4
    assert found.loc["ballistics", "share"] == 0.0


def test_a_channel_that_can_be_forged_is_right_about_whom_it_was_shown() -> None:
    adjudications = ["i1,a,true,b", "i2,a,true,"]
    evidence = ["i1,press,b,,", "i1,ballistics,b,,", "i2,press,a,,", "i2,ballistics,a,,"]
    found = settled_case(adjudications, evidence, [1.0, 1.0])
    assert found["n"].to_dict() == {"press": 1, "ballistics": 2}
    assert found["share"].to_dict() == {"press": 1.0, "ballistics": 0.5}


def test_incidents_of_nobody_whom_a_channel_could_name_say_nothing_of_it() -> None:
    assert settled_case(["i1,other,,"], ["i1,press,b,,"], [1.0]).empty
    assert settled_case(["i1,other,,"], ["i1,press,b,,", "i2,press,other,,"], [1.0])["n"].to_dict() == {"press": 1}


def test_without_inclusion_probabilities_there_is_no_correction() -> None:
    found = settled_case(["i1,a,,", "i2,a,,"], ["i1,press,a,,", "i2,press,b,,"], [0.5, np.nan])
    assert found.loc["press", "share"] == 0.5
    assert np.isnan(found.loc["press", "share_weighted"])


def test_the_interval_of_a_share_is_that_of_jeffreys() -> None:
    found = weighted_share(np.array([1.0, 1, 0, 1]), np.ones(4))
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.33, 0.96), abs=0.02)


# Waterfall.


def test_the_bits_of_an_incident_lead_from_its_place_to_its_attribution() -> None:
    design, posterior, _ = drawn(simulated("demo", 1, 200))
    after, before, staged = responsibilities(design, posterior)
    unsettled = design.patterns.perpetrator[design.groups.pattern[design.incident_group]] == UNKNOWN
    for i in np.flatnonzero(unsettled)[:20]:
        found = evidence_waterfall(design, posterior, design.incident_id[i])
        group, k = design.incident_group[i], design.actors.index(found.focus)
        assert found.steps["p"].iloc[0] == pytest.approx(before[group, k])
        assert found.steps["p"].iloc[-1] == pytest.approx(after[group, k]) == after[group].max()
        odds = found.steps["p"].iloc[-1] / (1 - found.steps["p"].iloc[-1])
        assert found.steps["bits"].sum() == pytest.approx(np.log2(odds))
        assert found.p_staged == pytest.approx(staged[group])
        assert found.settled == ""


def test_the_items_of_an_incident_are_what_was_said_and_who_was_silent() -> None:
    assessment = read_case(
        organizations=["a,A,", "b,B,"],
        incidents=["i1,2026-07-02,r", "i2,2026-07-02,r"],
        harms=["i1,killing,police,1,,", "i2,killing,police,1,,"],
        evidence=["i1,press,a,,", "i1,dyad,a,x,", "i1,dyad,b,x,", "i2,ballistics,b,,"],
        adjudications=["i1,b,,"],
    )
    design, posterior, _ = drawn(assessment)
    found = evidence_waterfall(design, posterior, "i1", "b")
    assert found.steps["item"].tolist() == [
        "before the evidence", "dyad lies between a or b", "press names a", "silent: ballistics",
    ]  # fmt: skip
    assert (found.focus, found.settled) == ("b", "b")
    assert found.steps["p_other"].iloc[1] < found.steps["p_other"].iloc[0]
    assert found.steps["bits"].iloc[2] < 0


@pytest.mark.parametrize(
    ("incident", "organization", "said"), [("x", None, "no incident"), ("i1", "z", "choose among")]
)
def test_an_unknown_incident_or_organization_is_a_fault(incident: str, organization: str | None, said: str) -> None:
    assessment = read_case(
        organizations=["a,A,", "b,B,"], incidents=["i1,2026-07-02,r"], harms=["i1,killing,police,1,,"]
    )
    design, posterior, _ = drawn(assessment, 3)
    with pytest.raises(InputError, match=said):
        evidence_waterfall(design, posterior, incident, organization)


# Scores, by hand.

P = np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])
TRUTH = np.array([0, 2])


def test_brier_and_log_scores_by_hand() -> None:
    assert brier_scores(P, TRUTH) == pytest.approx([0.14, 0.5**2 + 0.25**2 + 0.75**2])
    assert log_scores(P, TRUTH) == pytest.approx(np.log([0.7, 0.25]))
    assert log_scores(np.array([[0.0, 1.0]]), np.array([0])) == pytest.approx(np.log(1e-6))


def test_a_weighted_mean_counts_as_often_as_it_is_weighed() -> None:
    found = weighted_mean(np.array([1.0, 4.0]), np.array([3.0, 1.0]))
    assert found.value == 1.75
    assert weighted_mean(np.array([1.0, 4.0]), np.ones(2)).error == pytest.approx(3 / np.sqrt(2) / np.sqrt(2))


def test_evidence_that_says_nothing_costs_one_and_perfect_evidence_nothing() -> None:
    prior = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
    truth, even = np.array([0, 1, 2]), np.ones(3)
    assert likelihood_ratio_cost(prior, prior, truth, even) == pytest.approx(1.0)
    assert likelihood_ratio_cost(np.eye(3), prior, truth, even) == pytest.approx(0.0, abs=1e-4)
    assert likelihood_ratio_cost(np.eye(3)[[1, 2, 0]], prior, truth, even) > 5.0
    assert np.isnan(likelihood_ratio_cost(prior[:1], prior[:1], truth[:1], even[:1]))


def test_the_cost_of_two_classes_is_that_of_bruemmer_and_du_preez() -> None:
    # Likelihood ratios of 4 and 1/2, on priors that must not matter: 1/2 (log2(1 + 1/4) + log2(1 + 1/2)).
    ratio, prior = np.array([4.0, 0.5]), np.array([0.2, 0.7])
    odds = ratio * prior / (1 - prior)
    p, hit = odds / (1 + odds), np.array([True, False])
    expected = 0.5 * (np.log2(1.25) + np.log2(1.5))
    assert two_class_cost(p, prior, hit, np.ones(2)) == pytest.approx(expected)
    both = np.column_stack([p, 1 - p]), np.column_stack([prior, 1 - prior])
    assert likelihood_ratio_cost(*both, np.array([0, 1]), np.ones(2)) == pytest.approx(expected)


def test_true_probabilities_are_reliable_and_sharpened_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 1, 1500)
    hit = rng.random(1500) < p
    good, bold = (reliability(q, hit, np.ones(1500), 2) for q in (p, p**4 / (p**4 + (1 - p) ** 4)))
    outside = [np.mean((f.recalibrated < f.low) | (f.recalibrated > f.high)) for f in (good, bold)]
    assert outside[0] < 0.3 < outside[1]
    assert good.miscalibration < 0.01 < bold.miscalibration
    for found in (good, bold):
        assert found.brier == pytest.approx(found.miscalibration - found.discrimination + found.uncertainty)


# Folds.


def test_folds_are_even_within_each_perpetrator_and_the_same_for_one_seed() -> None:
    settled = pd.DataFrame({"organization_id": ["a"] * 10 + ["b"] * 5, "false_flag": [True] * 5 + [None] * 10})
    found = assign_folds(settled, 5, 3)
    for rows in (slice(0, 5), slice(5, 10), slice(10, 15)):
        assert sorted(found[rows]) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(found, assign_folds(settled, 5, 3))
    assert (found != assign_folds(settled, 5, 4)).any()


@pytest.mark.parametrize("n_folds", [1, 4])
def test_too_few_settled_incidents_are_refused_with_the_way_out(n_folds: int) -> None:
    settled = pd.DataFrame({"organization_id": ["a"] * 3, "false_flag": [None] * 3})
    with pytest.raises(RefusedError, match="3 incidents are settled"):
        assign_folds(settled, n_folds, 1)


@pytest.fixture
def fitted_without_sampling(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list:
    """In place of a fit, draws around the middle of the prior; the assessments that were to be fitted are kept."""
    seen = []
    converged = getattr(request, "param", True)

    def fit(assessment, seed=None, **_: object) -> SimpleNamespace:
        seen.append(assessment)
        design, posterior, responsibility = drawn(assessment, 50)
        tree = xr.DataTree.from_dict({"posterior": posterior})
        told = SimpleNamespace(responsibility=responsibility)
        return SimpleNamespace(
            design=design, posterior=tree, attribution=told, diagnostics=SimpleNamespace(converged=converged)
        )

    monkeypatch.setattr(folds, "fit_assessment", fit)
    monkeypatch.setattr(examination, "fit_assessment", fit)
    return seen


def test_what_was_settled_is_hidden_from_the_fit_that_predicts_it(fitted_without_sampling: list) -> None:
    assessment = simulated("demo", 1, 200)
    found = predict_settled(assessment, 3)
    assert len(fitted_without_sampling) == 3
    for fold, part in enumerate(fitted_without_sampling):
        hidden = set(found.table["incident_id"][found.table["fold"] == fold])
        assert hidden
        assert not hidden & set(part.adjudications["incident_id"])
        assert len(part.adjudications) + len(hidden) == len(assessment.adjudications)
        assert len(part.evidence) == len(assessment.evidence)
    np.testing.assert_allclose(found.p.sum(axis=1), 1)
    # A fit that knew would be certain.
    assert (found.p.max(axis=1) < 1).all()


def predictions(weight: list[float]) -> Predictions:
    table = pd.DataFrame(
        {
            "incident_id": ["i1", "i2"], "fold": [0, 1], "organization_id": ["a", "c"], "false_flag": [False, False],
            "weight": weight, "channels": ["press", "claim;press"], "converged": [True, True],
        }
    )  # fmt: skip
    return Predictions(table, P, np.full((2, 3), 1 / 3), ("a", "b", "c"))


def test_scores_are_given_of_all_by_channel_and_by_organization() -> None:
    table = score_table(predictions([1.0, 3.0]))
    assert table[["of", "name", "n"]].to_numpy().tolist() == [
        ["all", "", 2], ["channel", "claim", 1], ["channel", "press", 2], ["organization", "a", 1], ["organization", "c", 1],
    ]  # fmt: skip
    brier = brier_scores(P, TRUTH)
    everyone = table.iloc[0]
    assert everyone["brier"] == pytest.approx(brier.mean())
    assert everyone["brier_weighted"] == pytest.approx((brier[0] + 3 * brier[1]) / 4)
    assert everyone["brier_prior"] == pytest.approx(2 / 3)
    assert table.iloc[1]["brier"] == pytest.approx(brier[1])
    assert table.iloc[3]["brier"] == pytest.approx((0.3**2 + 0.5**2) / 2)


def test_scores_are_not_corrected_where_an_inclusion_probability_is_missing() -> None:
    assert "brier_weighted" not in score_table(predictions([1.0, np.nan]))


# Variants.


def test_each_variant_takes_one_thing_out_of_the_model() -> None:
    methodology = simulated("demo", 1, 200).methodology
    for variant in VARIANTS:
        changed = variant_methodology(methodology, variant).model_dump()
        before = methodology.model_dump()
        assert [key for key in before if before[key] != changed[key]] == [
            "channels" if variant == "no-false-flags" else "priors"
        ]
    with pytest.raises(InputError, match="choose among no-false-flags"):
        variant_methodology(methodology, "better")


def test_an_incident_left_out_is_foreseen_as_if_each_were_computed_alone() -> None:
    from arviz_stats import loo

    design, posterior, _ = drawn(simulated("plain", 2, 150), 150, spread=0.05)
    found = incident_loo(design, posterior, 300)
    density = log_likelihood(design, posterior)[..., design.incident_group].rename({"group": "incident"})
    tree = xr.DataTree.from_dict({"posterior": posterior[["accuracy"]], "log_likelihood": density.to_dataset()})
    alone = loo(tree.map_over_datasets(numbered), pointwise=True)
    np.testing.assert_allclose(found.elpd_i.values, alone.elpd_i.values, rtol=1e-6)
    assert (found.elpd, found.se, found.p) == pytest.approx((alone.elpd, alone.se, alone.p), rel=1e-6)


def numbered(draws: xr.Dataset) -> xr.Dataset:
    return draws.assign_coords({dim: np.arange(draws.sizes[dim]) for dim in ("chain", "draw") if dim in draws.dims})


def test_variants_are_ranked_by_what_they_foresee_and_weighed() -> None:
    design, posterior, _ = drawn(simulated("plain", 2, 150), 150, spread=0.02)
    worse = posterior.assign(accuracy=0.5 * posterior["accuracy"])
    table = compare_variants({"good": incident_loo(design, posterior), "bad": incident_loo(design, worse)})
    assert table.index.tolist() == ["good", "bad"]
    assert table["weight"].sum() == pytest.approx(1)
    assert {"elpd", "elpd_diff", "dse", "n_bad"} <= set(table.columns)


def test_variants_of_other_incidents_cannot_be_compared() -> None:
    found = [incident_loo(*drawn(simulated("plain", seed, 60), 20, spread=0.02)[:2]) for seed in (2, 3)]
    with pytest.raises(ValueError, match="only on the same incidents"):
        compare_variants({"one": found[0], "two": found[1]})


# Posterior predictive checks.


def test_channels_that_are_always_right_make_up_no_disagreement_and_are_never_silent() -> None:
    assessment = simulated("plain", 2, 150)
    # What a court found to be staged would be told differently by channels that can be forged.
    assessment = replace_tables(assessment, adjudications=assessment.adjudications.iloc[:0])
    design, posterior, _ = drawn(assessment)
    sure = posterior.assign(
        accuracy=1.0 + 0 * posterior["accuracy"],
        reach=1.0 + 0 * posterior["reach"],
        false_flag=0 * posterior["false_flag"],
    )
    notorious = sure.assign(notoriety=sure["notoriety"].where(sure["actor"] != "other", 0.1))
    table = predictive_checks(design, notorious, assessment.evidence, 1).set_index("check")
    assert table.loc["disagree", "high"].max() == 0
    assert table.loc["unattributed", "high"].max() == 0
    assert table.loc["disagree", "observed"].sum() > 0
    assert (table.loc["unattributed", "observed"] > 0).any()


def test_evidence_is_counted_as_it_stands_in_the_tables() -> None:
    assessment = simulated("plain", 2, 150)
    design, posterior, _ = drawn(assessment)
    table = predictive_checks(design, posterior, assessment.evidence, 1).set_index(["check", "name"])
    incidents, evidence = assessment.incidents, assessment.evidence
    window = set(incidents.loc[incidents["period"] == "window", "incident_id"])
    counts = evidence[evidence["incident_id"].isin(window)]["organization_id"].value_counts()
    for organization in design.organizations:
        assert table.loc[("named", organization), "observed"] == counts.get(organization, 0)
    silent = incidents[~incidents["incident_id"].isin(evidence["incident_id"])]["region"].value_counts()
    for region in design.regions:
        assert table.loc[("unattributed", region), "observed"] == silent.get(region, 0)


def test_what_is_made_up_has_the_mean_that_the_model_says() -> None:
    # One channel that is never wrong, on incidents that a court has settled: names are reach times incidents.
    n = {"a": 30, "b": 20}
    names = [name for name, count in n.items() for _ in range(count)]
    assessment = read_case(
        ONE_PERIOD,
        organizations=["a,A,", "b,B,"],
        incidents=[f"i{i},2026-07-02,r" for i in range(50)],
        harms=[f"i{i},killing,police,1,," for i in range(50)],
        evidence=["i0,ballistics,a,,"],
        adjudications=[f"i{i},{name},false," for i, name in enumerate(names)],
    )
    design, posterior, _ = drawn(assessment, 300)
    fixed = posterior.assign(accuracy=1.0 + 0 * posterior["accuracy"], reach=0.4 + 0 * posterior["reach"])
    table = predictive_checks(design, fixed, assessment.evidence, 1, 600).set_index(["check", "name"])
    for name, count in n.items():
        assert table.loc[("named", name), "mean"] == pytest.approx(0.4 * count, abs=0.6)
    assert table.loc[("named", "a"), "p"] == pytest.approx(1.0)


# All together.


def test_everything_is_examined_printed_and_drawn(
    fitted_without_sampling: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assessment = simulated("demo", 1, 200)
    _, posterior, _ = drawn(assessment, 50)
    incident = str(assessment.incidents["incident_id"].iloc[0])
    found = examination.examine(
        posterior, assessment, incident=incident, n_folds=2, variants=["no-false-flags"], given={"draws": 50}
    )
    value = json.loads(json.dumps(examination.to_json_dict(found)))
    assert set(value) == {
        "channels", "settled", "checks", "scores", "compared", "predictions", "loo", "incident", "unconverged",
    }  # fmt: skip
    assert {row["variant"] for row in value["compared"]} == {"as it is", "no-false-flags"}
    drawings = examination.draw_figures(found, 1)
    assert set(drawings) == {
        "reach", "accuracy", "checks", "pareto-k", "comparison", "waterfall", "reliability",
    }  # fmt: skip
    for name, figure in drawings.items():
        figure.savefig(tmp_path / f"{name}.svg")
        assert (tmp_path / f"{name}.svg").stat().st_size > 1000


@pytest.mark.parametrize("fitted_without_sampling", [False], indirect=True)
def test_folds_and_variants_that_have_not_converged_are_named(fitted_without_sampling: list) -> None:
    assessment = simulated("demo", 1, 200)
    _, posterior, _ = drawn(assessment, 20)
    found = examination.examine(posterior, assessment, n_folds=2, variants=["equal-reach"])
    assert found.unconverged == ("fold 1", "fold 2", "equal-reach")
    assert examination.to_json_dict(found)["unconverged"] == ["fold 1", "fold 2", "equal-reach"]


def test_an_organization_whose_id_looks_like_mathematics_is_drawn_as_it_stands(tmp_path: Path) -> None:
    assessment = read_case(
        organizations=["$\\frac,A,", "b$,B,"],
        incidents=["$i1$,2026-07-02,$r"],
        harms=["$i1$,killing,police,1,,"],
        evidence=["$i1$,press,b$,,"],
    )
    _, posterior, _ = drawn(assessment, 50)
    found = examination.examine(posterior, assessment, incident="$i1$")
    for name, figure in examination.draw_figures(found, 1).items():
        figure.savefig(tmp_path / f"{name}.svg")


def test_a_run_alone_shows_its_channels_and_asks_for_the_tables(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["attribution", str(run_folder)]) == 0
    printed = capsys.readouterr().out
    assert "Accuracy: how often a channel is right" in printed
    assert "--assessment DIR" in printed
    assert cli.run(["attribution", str(run_folder), "--incident", "I1"]) == cli.BAD_INPUT
    assert "a run holds no tables" in capsys.readouterr().err


def test_a_run_with_its_assessment_is_examined_and_drawn(
    run_folder: Path, assessment_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures"
    command = ["attribution", str(run_folder), "--assessment", str(assessment_folder)]
    assert cli.run([*command, "--figures", str(figures)]) == 0
    printed = capsys.readouterr().out
    assert "Would the model have produced this evidence?" in printed
    assert "Leaving out one incident at a time" in printed
    assert {path.suffix for path in figures.iterdir()} == {".svg"}
    assert cli.run([*command, "--figures", str(figures)]) == cli.BAD_INPUT
    capsys.readouterr()
    assert cli.run([*command, "--json"]) == 0
    assert {"channels", "settled", "checks", "loo"} == set(json.loads(capsys.readouterr().out))


def test_predictions_can_be_read_without_a_false_flag_column_of_truth() -> None:
    found = dataclasses.replace(predictions([1.0, 1.0]), p=np.eye(3)[[0, 2]])
    assert score_table(found).iloc[0]["brier"] == 0.0
