"""Flows from distribution networks: tables, the assessment made of them, what is unlisted, and what counts beside them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from design_cases import read_simulation
from unit_cases import METHODOLOGY, faults_of, read_units

from violencescore.design import build_design
from violencescore.diagnostics import Diagnostics
from violencescore.errors import RefusedError
from violencescore.fitting import require_scorable
from violencescore.flows import Flows, add_unlisted, as_estimates, extend_flows, sample_flows, with_flow_failures
from violencescore.levels import enough_flows, sample_revenues
from violencescore.networks import STEPS, network_assessment, uses_networks
from violencescore.simulation import World, simulate_world
from violencescore.unit_options import FlowRule

NETWORKS = "n1,north,10,5,20,t,, n2,south,40,40,40,t,,b n3,south,1,,,t,2026-07-15, n4,south,99,,,t,2025-01-01,"
HEARD = "n1,press,a1,o1,s1 n1,press,a1,o1,s2 n1,intelligence,b,, n2,press,c,, n4,press,c,,"
PER_FLOW = METHODOLOGY + '\n[score]\nper = "flow"\n'
ESTIMATES = "a,study,10,flow,t b,study,20,flow,t"


def supply_case(methodology: str = METHODOLOGY, **tables):
    return read_units(methodology, **{"networks": NETWORKS.split(" "), "network_evidence": HEARD.split(" ")} | tables)


def choose(use: str) -> str:
    return METHODOLOGY + f'\n[flow]\nuse = "{use}"\n'


def flows_of(total, *, converged=True) -> Flows:
    values = np.asarray(total, dtype=float)
    reasons = () if converged else ("the chains disagree",)
    diagnostics = Diagnostics(converged, 1.0, 1000.0, 0, 10, reasons, ())
    probability = np.ones((1, values.shape[-1])) / values.shape[-1]
    return Flows(
        values,
        values,
        ("a", "a1", "a2", "b", "c", "other")[-values.shape[-1] :],
        ("n1",),
        probability,
        "t",
        diagnostics,
    )


# Tables.


def test_networks_outside_the_window_and_copies_are_left_out_and_said() -> None:
    assessment = supply_case()
    assert assessment.networks["network_id"].tolist() == ["n1", "n2", "n3"]
    assert assessment.networks["low"].tolist() == [5, 40, 1]
    assert assessment.network_evidence["network_id"].tolist() == ["n1", "n1", "n2"]
    assert any("1 network lies outside the window" in m for m in assessment.messages)
    assert any("1 row of network_evidence repeat others" in m for m in assessment.messages)


@pytest.mark.parametrize(
    ("networks", "heard", "said"),
    [
        ("n1,north,10,20,30,t,,", "n1,press,a,,", "networks.csv row 2, column low: '20': is above best"),
        ("n1,north,0,,,t,,", "n1,press,a,,", "is not above 0"),
        ("n1,north,1,,,t,, n1,north,2,,,t,,", "n1,press,a,,", "must be unique"),
        ("n1,north,1,,,t,, n2,north,2,,,kg,,", "n1,press,a,,", "differs from the unit 't' of earlier rows"),
        ("n1,north,1,,,t,,nobody", "n1,press,a,,", "is not an organization of the table organizations"),
        ("n1,north,1,,,t,,", "n9,press,a,,", "is not a network of the table networks"),
        ("n1,north,1,,,t,,", "n1,rumour,a,,", "is not among the channels of the methodology"),
        ("n1,north,1,,,t,,", "n1,press,a,o1, n1,press,b,o1,", "is a second organization in one piece of evidence"),
    ],
)
def test_a_bad_row_is_a_fault(networks: str, heard: str, said: str) -> None:
    found = faults_of(networks=networks.split(" "), network_evidence=heard.split(" "))
    assert any(said.split(": ")[-1] in fault for fault in found), found


def test_which_of_networks_and_estimates_counts_must_be_said() -> None:
    both = {"networks": NETWORKS.split(" "), "revenue": ESTIMATES}
    assert any("which of them counts is not said" in fault for fault in faults_of(**both))
    assert not uses_networks(read_units(choose("estimates"), **both))
    assert uses_networks(read_units(choose("combined"), **both))
    other = both | {"revenue": "a,study,10,flow,kg"}
    assert any("use one unit to combine" in fault for fault in faults_of(choose("combined"), **other))


def test_a_score_per_flow_needs_networks_or_estimates() -> None:
    require_scorable(supply_case(PER_FLOW))
    with pytest.raises(RefusedError, match="no row of the table `revenue` of kind `flow`"):
        require_scorable(read_units(PER_FLOW))


# The assessment that is made of them.


def test_networks_are_incidents_of_one_period_whose_harm_is_the_flow() -> None:
    derived, worth = network_assessment(supply_case())
    design = build_design(derived)
    assert design.periods == ("window",)
    assert design.kinds == ("flow",)
    assert design.n_incidents == 3
    assert derived.harms["high"].max() == STEPS
    assert np.allclose(derived.harms["best"] * worth, [10, 40, 1], rtol=1e-4)
    assert derived.adjudications[["incident_id", "organization_id"]].values.tolist() == [["n2", "b"]]
    assert derived.organizations["active_from"].isna().all()


def test_what_no_network_carries_is_a_share_of_all_and_reaches_everybody() -> None:
    listed = np.tile([3.0, 0.0, 1.0], (2, 4000, 1))
    total = add_unlisted(listed, FlowRule(unlisted=(2.0, 8.0)), np.random.default_rng(1))
    share = 1 - listed.sum(axis=-1) / total.sum(axis=-1)
    assert share.mean() == pytest.approx(0.2, abs=0.01)
    assert (total > 0).all()
    extra = (total - listed) / (total - listed).sum(axis=-1, keepdims=True)
    assert np.allclose(extra.mean(axis=(0, 1)), 1 / 3, atol=0.01)


# What it does to the score.


def test_flows_of_networks_are_the_draws_that_scores_are_divided_by() -> None:
    assessment = supply_case()
    flows = flows_of(np.arange(1.0, 25.0).reshape(1, 4, 6))
    found, estimated = sample_revenues(assessment, ["a", "b"], flows, (1, 4), np.random.default_rng(1))
    assert found["flow"].values[0].tolist() == [[1, 4], [7, 10], [13, 16], [19, 22]]
    assert estimated["flow"] == {"a", "b"}


def test_flows_that_did_not_converge_are_left_out_and_refuse_a_verdict_that_needs_them() -> None:
    flows = flows_of(np.ones((1, 4, 6)), converged=False)
    found, _ = sample_revenues(supply_case(), ["a", "b"], flows, (1, 4), np.random.default_rng(1))
    assert found is None
    needed, _ = sample_revenues(supply_case(PER_FLOW), ["a", "b"], flows, (1, 4), np.random.default_rng(1))
    assert "flow" in needed
    fine = Diagnostics(True, 1.0, 1000.0, 0, 10, (), ())
    assert with_flow_failures(fine, flows).converged is False
    assert with_flow_failures(fine, flows).reasons == ("in the fit of the networks, the chains disagree",)
    assert with_flow_failures(fine, flows_of(np.ones((1, 4, 6)))) is fine


def test_combined_networks_are_one_more_source() -> None:
    both = {"networks": NETWORKS.split(" "), "network_evidence": HEARD.split(" "), "revenue": ESTIMATES}
    assessment = read_units(choose("combined"), **both)
    rng = np.random.default_rng(1)
    total = np.exp(rng.normal(np.log([80, 80, 80, 80, 80, 80]), 0.1, (2, 2000, 6)))
    flows = flows_of(total)
    rows = as_estimates(flows, 0.9).set_index("organization_id")
    assert rows.loc["a", "best"] == pytest.approx(80, rel=0.02)
    assert np.log(rows.loc["a", "high"] / rows.loc["a", "low"]) == pytest.approx(2 * 1.645 * 0.1, rel=0.1)
    alone, _ = sample_revenues(read_units(choose("estimates"), **both), ["a", "b"], None, (2, 2000), rng)
    found, _ = sample_revenues(assessment, ["a", "b"], flows, (2, 2000), rng)
    medians = [float(np.median(x["flow"].sel(organization="a"))) for x in (alone, found)]
    assert medians[0] < 15 < medians[1] < 80


def test_further_draws_are_chains_of_their_own_and_the_worse_diagnostics_count() -> None:
    joined = extend_flows(flows_of(np.ones((2, 3, 6)), converged=False), flows_of(np.full((2, 5, 6), 2.0)))
    assert joined.total.shape == (2, 8, 6)
    assert not joined.diagnostics.converged


def test_nothing_is_fitted_without_networks() -> None:
    assessment = read_units()
    assert enough_flows(assessment, assessment.methodology.sampling, None, 100, SimpleNamespace()) is None


# Known truth.


def test_flows_of_a_small_world_go_to_those_who_run_the_networks() -> None:
    simulation = simulate_world(World(networks=60, n_organizations=4, n_regions=4), 5, 60)
    assessment = read_simulation(simulation)
    sampling = assessment.methodology.sampling.model_copy(
        update={"draws": 300, "chains": 2, "min_ess": 100, "max_rhat": 1.05}
    )
    flows = sample_flows(assessment, sampling, 1)
    assert flows.diagnostics.converged, flows.diagnostics.reasons
    truth = simulation.supply.truth["share"].to_numpy()
    low, high = np.quantile(flows.share.reshape(-1, 5), (0.01, 0.99), axis=0)
    assert ((low < truth) & (truth < high)).all()
    owners = simulation.supply.truth_networks.set_index("network_id")["organization_id"]
    settled = assessment.networks[assessment.networks["settled_id"] != ""]
    p = pd.DataFrame(flows.probability, index=list(flows.networks), columns=list(flows.actors))
    assert all(p.loc[n, who] == pytest.approx(1) for n, who in settled[["network_id", "settled_id"]].to_numpy())
    assert p.to_numpy()[np.arange(60), [flows.actors.index(o) for o in owners]].mean() > 0.6


@pytest.mark.slow
def test_intervals_of_shares_cover_the_truth_as_often_as_they_say() -> None:
    hits = []
    for seed in range(20):
        simulation = simulate_world(World(networks=80), seed, 60)
        assessment = read_simulation(simulation)
        flows = sample_flows(assessment, assessment.methodology.sampling, seed)
        assert flows.diagnostics.converged, (seed, flows.diagnostics.reasons)
        # The simulated lists are complete: the truth is compared with the flow of listed networks.
        share = flows.listed / flows.listed.sum(axis=-1, keepdims=True)
        low, high = np.quantile(share.reshape(-1, 7), (0.05, 0.95), axis=0)
        truth = simulation.supply.truth["share"].to_numpy()
        hits += list((low <= truth) & (truth <= high))
    assert 0.82 <= np.mean(hits) <= 0.97


def test_the_same_seed_draws_the_same_networks_and_leaves_the_incidents_alone() -> None:
    world = World(networks=20)
    one, again = simulate_world(world, 3, 60), simulate_world(world, 3, 60)
    pd.testing.assert_frame_equal(one.supply.networks, again.supply.networks)
    plain = simulate_world(dataclasses.replace(world, networks=0), 3, 60)
    pd.testing.assert_frame_equal(plain.tables["evidence"], one.tables["evidence"])
    assert "networks" not in plain.tables
