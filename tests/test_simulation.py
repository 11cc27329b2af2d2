from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from design_cases import read_simulation
from scipy.stats import chisquare

from violencescore.design import build_design
from violencescore.errors import InputError
from violencescore.methodology import shipped_methodology
from violencescore.names import OTHER
from violencescore.simulation import (
    ANNOUNCED,
    WORLDS,
    Simulation,
    World,
    simulate_world,
    write_simulation,
)
from violencescore.simulation.chance import choose_rows, draw_counts
from violencescore.simulation.harms import expected_harms, simulate_harms
from violencescore.simulation.incidents import intimidated_regions, simulate_incidents
from violencescore.simulation.revenue import simulate_revenue

LARGE = 4000


def joined(simulation: Simulation) -> pd.DataFrame:
    """Pieces of evidence (copies left out) beside the truth of their incidents."""
    evidence = simulation.tables["evidence"].drop_duplicates(["incident_id", "channel", "origin", "organization_id"])
    return evidence.merge(simulation.truth_incidents, on="incident_id", suffixes=("", "_true"))


def staged_share(simulation: Simulation) -> pd.Series:
    """Staged share of the incidents by period."""
    truth = simulation.truth_incidents.merge(simulation.tables["incidents"], on="incident_id")
    period = np.where(truth["date"] >= ANNOUNCED.isoformat(), "window", "baseline")
    return (truth["false_flag"] == "true").groupby(period).mean()


@pytest.mark.parametrize("world", list(WORLDS))
def test_the_same_seed_gives_the_same_tables_and_another_gives_others(world: str) -> None:
    first, again, other = (simulate_world(world, seed, 150) for seed in (4, 4, 5))
    assert first.methodology == again.methodology
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
    pd.testing.assert_frame_equal(first.truth, again.truth)
    pd.testing.assert_frame_equal(first.truth_incidents, again.truth_incidents)
    assert not first.truth_incidents.equals(other.truth_incidents)


@pytest.mark.parametrize("world", list(WORLDS))
def test_every_world_is_a_valid_assessment_of_which_nothing_is_left_out(world: str) -> None:
    simulation = simulate_world(world, 2, 200)
    assessment = read_simulation(simulation)
    assert len(assessment.incidents) == len(simulation.tables["incidents"])
    assert assessment.harms["best"].sum() == simulation.tables["harms"]["best"].sum()
    assert set(assessment.organizations["organization_id"]) == set(simulation.truth["organization_id"])
    assert all("copies" in message for message in assessment.messages)
    design = build_design(assessment)
    assert design.engages == (world == "dyads")
    assert design.stages == (world != "dyads")
    assert assessment.methodology.fictional


@pytest.mark.parametrize("n", [1, 2, 3])
def test_worlds_of_few_organizations_are_valid_too(n: int) -> None:
    for world in ("plain", "framed", "famous", "hidden", *(["dyads"] if n > 1 else [])):
        few = dataclasses.replace(WORLDS[world], n_organizations=n, n_regions=1)
        assert len(read_simulation(simulate_world(few, 1, 80)).organizations) == n


def test_many_organizations_have_names_of_their_own() -> None:
    simulation = simulate_world(World(n_organizations=60), 1, 300)
    assert simulation.tables["organizations"]["organization_id"].nunique() == 60


def test_true_totals_are_those_of_the_true_incidents_where_counts_are_exact() -> None:
    simulation = simulate_world(World(ranged=0.0), 3, 600)
    window = simulation.tables["incidents"]["date"] >= ANNOUNCED.isoformat()
    inside = simulation.tables["incidents"].loc[window, "incident_id"]
    harms = simulation.tables["harms"].merge(simulation.truth_incidents, on="incident_id")
    assert (harms["low"] == harms["high"]).all()
    harms = harms[harms["incident_id"].isin(inside) & (harms["organization_id"] != OTHER)]
    keys = ["organization_id", "element", "victim_role"]
    expected = harms.groupby(keys)["best"].sum()
    found = simulation.truth.set_index(keys)["harm"]
    assert found.sum() == expected.sum() > 0
    assert found.reindex(expected.index).tolist() == expected.tolist()


def test_true_totals_lie_within_the_recorded_ranges() -> None:
    simulation = simulate_world(World(ranged=1.0), 3, 600)
    harms = simulation.tables["harms"].merge(simulation.truth_incidents, on="incident_id")
    window = simulation.tables["incidents"].set_index("incident_id")["date"] >= ANNOUNCED.isoformat()
    harms = harms[harms["incident_id"].map(window) & (harms["organization_id"] != OTHER)]
    total = simulation.truth["harm"].sum()
    assert harms["low"].sum() < total < harms["high"].sum()
    assert total != harms["best"].sum()


def test_true_counts_fall_linearly_from_the_best_estimate() -> None:
    low, best, high = (np.full(20_000, x) for x in (1, 3, 6))
    counts = np.bincount(draw_counts(low, best, high, np.random.default_rng(0)), minlength=7)[1:]
    weight = np.array([1 / 3, 2 / 3, 1, 3 / 4, 2 / 4, 1 / 4])
    assert chisquare(counts, 20_000 * weight / weight.sum()).pvalue > 1e-3


def test_true_scores_and_ranks_follow_from_true_harm_and_published_weights() -> None:
    truth = simulate_world("plain", 3, 600).truth
    weights = {(c.element, c.victim_role or ""): c.weight for c in shipped_methodology("kleiman-2011").category}
    weighted = truth["harm"] * [weights[pair] for pair in zip(truth["element"], truth["victim_role"], strict=True)]
    expected = weighted.groupby(truth["organization_id"]).sum()
    by_id = truth.groupby("organization_id")
    assert (by_id["score"].min() == by_id["score"].max()).all()
    assert by_id["score"].first().tolist() == pytest.approx(expected.tolist())
    assert by_id["rank"].first()[expected.idxmax()] == 1
    assert sorted(by_id["rank"].first()) == [1, 2, 3, 4, 5, 6]
    assert len(truth) == 6 * len(weights)


def test_the_expected_number_of_incidents_is_met() -> None:
    n = [len(simulate_world("plain", seed, 400).truth_incidents) for seed in range(20)]
    assert np.mean(n) == pytest.approx(400, abs=4 * 20 / np.sqrt(20))


def test_adjudications_are_true_and_as_many_as_said() -> None:
    simulation = simulate_world(World(adjudicated=0.3), 1, 1000)
    settled = simulation.tables["adjudications"]
    assert len(settled) / len(simulation.truth_incidents) == pytest.approx(0.3, abs=0.06)
    columns = ["incident_id", "organization_id", "false_flag", "framed_id"]
    merged = settled[columns].merge(simulation.truth_incidents[columns])
    assert len(merged) == len(settled)
    assert (settled["inclusion_probability"] == 0.3).all()


def test_the_staged_world_stages_more_and_most_in_the_window() -> None:
    plain, staged = (staged_share(simulate_world(world, 1, LARGE)) for world in ("plain", "staged"))
    assert staged["window"] > 2 * plain["window"]
    assert staged["window"] > 2 * staged["baseline"] > 0


def test_a_world_without_false_flags_has_none() -> None:
    assert staged_share(simulate_world(World(staged=(0.0, 0.0)), 1, 500)).max() == 0


def test_in_the_framed_world_one_organization_stages_a_third_of_its_work_as_one_rivals() -> None:
    truth = simulate_world("framed", 1, LARGE).truth_incidents
    share = (truth["false_flag"] == "true").groupby(truth["organization_id"]).mean()
    framer = share.idxmax()
    assert share[framer] == pytest.approx(0.35, abs=0.04)
    assert share.drop(framer).max() < 0.25
    assert len(set(truth.loc[truth["organization_id"] == framer, "framed_id"]) - {""}) == 1
    assert framer == truth.loc[truth["organization_id"] != OTHER, "organization_id"].value_counts().idxmax()


def test_nobody_frames_itself_and_only_staged_incidents_frame() -> None:
    truth = simulate_world("staged", 1, LARGE).truth_incidents
    assert not (truth["organization_id"] == truth["framed_id"]).any()
    assert ((truth["framed_id"] != "") == (truth["false_flag"] == "true")).all()


def test_in_the_famous_world_one_name_is_given_by_mistake_more_than_all_others() -> None:
    def mistaken(world: str) -> pd.Series:
        pieces = joined(simulate_world(dataclasses.replace(WORLDS[world], staged=(0.0, 0.0)), 1, LARGE))
        wrong = pieces[pieces["organization_id"] != pieces["organization_id_true"]]
        return wrong["organization_id"].value_counts(normalize=True)

    famous, most_violent = mistaken("famous"), simulate_world("famous", 1, LARGE).truth_incidents
    assert famous.iloc[0] > 0.45
    assert famous.index[0] != most_violent["organization_id"].value_counts().idxmax()
    assert mistaken("plain").iloc[0] < 0.4


def test_in_the_hidden_world_channels_seldom_speak_of_the_most_violent() -> None:
    def heard(world: str) -> np.ndarray:
        """Share of the incidents with any evidence: of the most violent, and of the others; mean of five worlds."""
        shares = []
        for seed in range(5):
            simulation = simulate_world(world, seed, 1500)
            truth = simulation.truth_incidents
            spoken = truth["incident_id"].isin(simulation.tables["evidence"]["incident_id"])
            by = spoken.groupby(truth["organization_id"]).mean()
            most = truth.loc[truth["organization_id"] != OTHER, "organization_id"].value_counts().idxmax()
            shares.append([by[most], by.drop(most).mean()])
        return np.mean(shares, axis=0)

    (hidden, others), (plain, _) = heard("hidden"), heard("plain")
    assert hidden < 0.6 * plain
    assert hidden < 0.6 * others


def test_channels_name_the_right_one_as_often_as_their_accuracy_says() -> None:
    pieces = joined(simulate_world(World(staged=(0.0, 0.0)), 1, LARGE))
    pieces = pieces[pieces["organization_id_true"] != OTHER]
    right = (pieces["organization_id"] == pieces["organization_id_true"]).groupby(pieces["channel"]).mean()
    for name, channel in World().channels.items():
        assert right[name] == pytest.approx(channel.accuracy, abs=0.05)


def test_false_flags_turn_channels_that_can_be_forged_and_no_others() -> None:
    pieces = joined(simulate_world("framed", 1, LARGE))
    staged = pieces[(pieces["framed_id"] != "") & (pieces["framed_id"] != OTHER)]
    for name, channel in World().channels.items():
        own = staged[staged["channel"] == name]
        framed = (own["organization_id"] == own["framed_id"]).mean()
        assert (framed > 0.5) == channel.forgeable


def test_every_dyad_names_two_and_nearly_always_the_right_one_among_them() -> None:
    pieces = joined(simulate_world("dyads", 1, 600))
    sizes = pieces.groupby(["incident_id", "origin"])["organization_id"].nunique()
    assert (sizes == 2).all()
    pieces = pieces[pieces["organization_id_true"] != OTHER]
    hit = (pieces["organization_id"] == pieces["organization_id_true"]).groupby(pieces["origin"]).any()
    assert hit.mean() == pytest.approx(0.98, abs=0.02)
    assert "adjudications" not in simulate_world("dyads", 1, 600).tables


def test_some_reports_are_copies_of_others_and_some_pieces_second_ones() -> None:
    evidence = simulate_world("plain", 1, 1000).tables["evidence"]
    origins = evidence.drop_duplicates(["incident_id", "channel", "origin"])
    assert 1.1 < len(evidence) / len(origins) < 1.3
    assert 1.05 < len(origins) / len(origins.drop_duplicates(["incident_id", "channel"])) < 1.2


def without(world: str, **changes: object) -> World:
    """A world without what makes it special."""
    return dataclasses.replace(WORLDS[world], **changes)  # type: ignore[arg-type]


def worst(simulation: Simulation) -> str:
    """Id of the organization with the highest true score."""
    return str(simulation.truth.set_index("organization_id")["score"].idxmax())


@pytest.mark.parametrize("world", list(WORLDS))
def test_true_harms_add_up_to_the_true_totals(world: str) -> None:
    simulation = simulate_world(world, 6, 400)
    keys = ["organization_id", "element", "victim_role"]
    everything = simulation.truth_harms.groupby(keys)["harm"].sum()
    window = simulation.truth.set_index(keys)["harm"]
    assert (everything.reindex(window.index, fill_value=0) >= window).all()
    harms = simulation.truth_harms
    known = harms[harms["incident_id"].isin(simulation.tables["incidents"]["incident_id"])]
    recorded = known[known["date"].astype(str) >= ANNOUNCED.isoformat()].groupby(keys)["harm"].sum()
    recorded = recorded.reindex(window.index, fill_value=0)
    assert (recorded <= window).all() if WORLDS[world].sources else (recorded == window).all()


@pytest.mark.parametrize("world", ["plain", "episodes", "split", "silenced"])
def test_expected_scores_are_what_realized_ones_are_on_average(world: str) -> None:
    """Realized totals of one set of rates, drawn anew, lie around the expected one."""
    settings = dataclasses.replace(WORLDS[world], n_incidents=20_000)
    simulations = [simulate_world(settings, seed) for seed in range(12)]
    realized = np.concatenate([s.truth.groupby("organization_id", sort=False)["score"].first() for s in simulations])
    expected = np.concatenate([s.truth_expected for s in simulations])
    large = expected > 300
    ratio = realized[large] / expected[large]
    assert large.sum() > 40
    assert ratio.mean() == pytest.approx(1.0, abs=5 * ratio.std() / np.sqrt(large.sum()))
    assert ratio.std() < 0.3


def test_the_worlds_that_issue_and_readers_name_are_there() -> None:
    named = "plain famous staged framed hidden listed silenced copied dyads episodes easy-courts split supply troubled".split()
    assert [*WORLDS] == [*named, "demo"]


def test_in_the_silenced_world_the_press_misses_what_happens_where_the_worst_rules() -> None:
    def shares(world: World) -> tuple[float, float]:
        """Share of incidents on no list: where the worst rules, and elsewhere."""
        inside, outside = [], []
        for seed in range(6):
            rng = np.random.default_rng(seed)
            rules = intimidated_regions(simulate_incidents(world, 11, rng, rng.spawn(1)[0]))
            simulation = simulate_world(world, seed)
            assert rules.any()
            region = simulated_regions(world, seed)
            missing = (simulation.truth_incidents["reported"] == "false").to_numpy()
            inside.append(missing[rules[region]].mean())
            outside.append(missing[~rules[region]].mean())
        return float(np.mean(inside)), float(np.mean(outside))

    inside, outside = shares(WORLDS["silenced"])
    same_inside, same_outside = shares(without("silenced", silenced=0.0))
    assert inside > 2.5 * outside
    assert outside == same_outside
    assert same_inside == pytest.approx(same_outside, abs=0.05)


def simulated_regions(world: World, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return simulate_incidents(world, 11, rng, rng.spawn(1)[0]).region


def test_without_intimidation_a_silenced_world_has_the_same_incidents_and_more_of_them_recorded() -> None:
    silenced, free = simulate_world("silenced", 3), simulate_world(without("silenced", silenced=0.0), 3)
    columns = ["incident_id", "organization_id", "false_flag", "framed_id"]
    pd.testing.assert_frame_equal(silenced.truth_incidents[columns], free.truth_incidents[columns])
    pd.testing.assert_frame_equal(silenced.truth, free.truth)
    pairs, more = ({tuple(row) for row in s.tables["reports"].to_numpy()} for s in (silenced, free))
    assert pairs < more
    assert len(silenced.tables["incidents"]) < len(free.tables["incidents"])


def test_what_no_list_holds_is_in_no_table_and_what_no_press_lists_the_press_does_not_speak_of() -> None:
    simulation = simulate_world("silenced", 4)
    reports, evidence = simulation.tables["reports"], simulation.tables["evidence"]
    reported = set(reports["incident_id"])
    truth = simulation.truth_incidents
    assert set(truth.loc[truth["reported"] == "true", "incident_id"]) == reported
    assert set(simulation.tables["incidents"]["incident_id"]) == reported
    assert all(set(table["incident_id"]) <= reported for n, table in simulation.tables.items() if n != "organizations")
    by_press = set(reports.loc[reports["source_id"].str.endswith("press"), "incident_id"])
    heard = evidence.loc[evidence["channel"] == "press", "incident_id"]
    assert set(heard) <= by_press
    assert not reported <= by_press
    assert reports["source_id"].nunique() == 4


def test_in_the_copied_world_others_repeat_the_press_as_their_own_finding() -> None:
    def agreement(world: World) -> float:
        """Share of pairs of a press and an intelligence piece, both wrong, that name the same one."""
        pieces = joined(simulate_world(world, 1, LARGE))
        wrong = pieces[(pieces["organization_id"] != pieces["organization_id_true"])]
        press, other = (wrong[wrong["channel"] == channel] for channel in ("press", "intelligence"))
        pairs = press.merge(other, on="incident_id")
        return float((pairs["organization_id_x"] == pairs["organization_id_y"]).mean())

    copied, plain = WORLDS["copied"], without("copied", echoed=0.0)
    assert agreement(copied) > agreement(plain) + 0.25
    evidence = joined(simulate_world(copied, 1, LARGE))
    origins = evidence.groupby(["incident_id", "channel"])["origin"].nunique()
    assert origins.loc[:, "press"].mean() > 1.4
    pd.testing.assert_frame_equal(simulate_world(plain, 1).truth, simulate_world("plain", 1).truth)


def test_in_the_episodes_world_incidents_come_in_clusters_of_one_perpetrator() -> None:
    simulation = simulate_world("episodes", 1, LARGE)
    truth = simulation.truth_incidents.merge(simulation.tables["incidents"], on="incident_id")
    by_episode = truth.assign(day=pd.to_datetime(truth["date"])).groupby("episode")
    assert (by_episode["organization_id"].nunique() == 1).all()
    assert (by_episode["region"].nunique() == 1).all()
    spans = (by_episode["day"].max() - by_episode["day"].min()).dt.days
    assert spans.max() <= 3
    assert by_episode.size().mean() == pytest.approx(WORLDS["episodes"].episode, abs=0.7)
    n = [len(simulate_world("episodes", seed, 600).truth_incidents) for seed in range(30)]
    assert np.mean(n) == pytest.approx(600, abs=4 * np.std(n) / np.sqrt(30))
    assert np.std(n) > 1.5 * np.sqrt(600)


def test_easy_courts_settle_cases_in_which_channels_are_right() -> None:
    def right(world: str) -> tuple[float, float]:
        """Share of press pieces that are right: in settled cases, and in all; and the share settled."""
        simulation = simulate_world(world, 1, LARGE)
        pieces = joined(simulation)
        pieces = pieces[(pieces["channel"] == "press") & (pieces["organization_id_true"] != OTHER)]
        is_right = pieces["organization_id"] == pieces["organization_id_true"]
        settled = pieces["incident_id"].isin(simulation.tables["adjudications"]["incident_id"])
        return float(is_right[settled].mean()), float(is_right.mean())

    easy, all_of_easy = right("easy-courts")
    fair, all_of_fair = right("plain")
    assert easy > all_of_easy + 0.2
    assert fair == pytest.approx(all_of_fair, abs=0.12)
    table = simulate_world("easy-courts", 1, LARGE).tables["adjudications"]
    assert len(table) / LARGE == pytest.approx(0.06, abs=0.02)
    assert table["inclusion_probability"].between(0, 1, inclusive="neither").all()
    assert table["inclusion_probability"].nunique() > 3


def test_in_the_split_world_a_faction_appears_in_mid_window_and_keeps_half_of_its_namings_from_the_parent() -> None:
    simulation = simulate_world("split", 1, LARGE)
    organizations = simulation.tables["organizations"].set_index("organization_id")
    (faction,) = organizations.index[organizations["parent_id"] != ""]
    parent = organizations.loc[faction, "parent_id"]
    born = organizations.loc[faction, "active_from"]
    truth = simulation.truth_incidents.merge(simulation.tables["incidents"], on="incident_id")
    assert truth.loc[truth["organization_id"] == faction, "date"].min() >= born > ANNOUNCED.isoformat()
    assert parent in truth.loc[truth["date"] >= born, "organization_id"].unique()
    late = truth[(truth["date"] >= born) & truth["organization_id"].isin([faction, parent])]
    assert 0.1 < (late["organization_id"] == faction).mean() < 0.9
    pieces = joined(simulation)
    own = pieces[(pieces["organization_id_true"] == faction) & (pieces["false_flag"] == "false")]
    stale = (own["organization_id"] == parent).sum() / own["organization_id"].isin([faction, parent]).sum()
    assert stale == pytest.approx(0.5, abs=0.15)
    before = pieces[pieces["incident_id"].isin(truth.loc[truth["date"] < born, "incident_id"])]
    assert (before["organization_id"] == faction).mean() < 0.2
    assert len(simulation.truth["organization_id"].unique()) == 7


def test_draws_from_rows_follow_the_weights_of_each_row() -> None:
    weight = np.array([[1.0, 3.0, 0.0], [0.0, 1.0, 1.0]])
    row = np.repeat([0, 1], 20_000)
    drawn = choose_rows(weight, row, np.random.default_rng(1))
    shares = [np.bincount(drawn[row == r], minlength=3) / 20_000 for r in (0, 1)]
    assert np.abs(np.array(shares) - [[0.25, 0.75, 0], [0, 0.5, 0.5]]).max() < 0.02
    assert shares[0][2] == shares[1][0] == 0


def test_expected_harms_follow_from_rates_and_severities() -> None:
    world, rng = dataclasses.replace(WORLDS["plain"], n_incidents=300_000, ranged=1.0), np.random.default_rng(8)
    incidents = simulate_incidents(world, 11, rng, rng.spawn(1)[0])
    harms = simulate_harms(world, incidents, 11, rng)
    inside = incidents.period[harms.owner] == 1
    total = np.bincount(harms.category[inside], weights=harms.true[inside], minlength=11)
    expected = expected_harms(world, incidents, 11).sum(axis=0)
    assert total == pytest.approx(expected, rel=0.1)
    assert total.sum() == pytest.approx(expected.sum(), rel=0.015)


def test_an_unknown_world_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no world is named 'utopia': choose among plain"):
        simulate_world("utopia", 1)


def test_a_simulation_is_written_with_its_truth_and_never_over_anything(tmp_path: Path) -> None:
    simulation = simulate_world("plain", 1, 60)
    write_simulation(simulation, tmp_path / "world")
    written = {path.name for path in (tmp_path / "world").iterdir()}
    assert written == {
        "methodology.toml", "organizations.csv", "incidents.csv", "harms.csv", "evidence.csv", "adjudications.csv",
        "truth.csv", "truth_incidents.csv",
    }  # fmt: skip
    truth = pd.read_csv(tmp_path / "world" / "truth.csv", keep_default_na=False)
    assert list(truth) == ["organization_id", "element", "victim_role", "harm", "score", "rank"]
    incidents = pd.read_csv(tmp_path / "world" / "truth_incidents.csv", keep_default_na=False)
    assert list(incidents) == ["incident_id", "organization_id", "false_flag", "framed_id"]
    with pytest.raises(InputError, match="not an empty folder"):
        write_simulation(simulation, tmp_path / "world")


def test_a_longer_window_holds_more_days_and_the_baseline_stays() -> None:
    world = dataclasses.replace(WORLDS["plain"], window_days=112, n_incidents=900)
    simulation = simulate_world(world, 2)
    days = pd.to_datetime(simulation.tables["incidents"]["date"])
    assert days.min() >= pd.Timestamp("2026-01-01")
    assert pd.Timestamp("2026-10-01") < days.max() <= pd.Timestamp("2026-10-20")
    assert "end = 2026-10-20" in simulation.methodology
    assert set(simulation.truth_harms["date"]) == set(simulation.tables["incidents"]["date"])


def test_a_split_comes_in_the_middle_of_the_window_however_long() -> None:
    world = dataclasses.replace(WORLDS["split"], window_days=28, n_incidents=900)
    simulation = simulate_world(world, 2)
    faction = simulation.tables["organizations"].iloc[-1]
    assert faction["active_from"] == "2026-07-15"
    done = simulation.truth_incidents.set_index("incident_id")["organization_id"]
    dates = simulation.tables["incidents"].set_index("incident_id")["date"]
    assert dates[done.index[done == faction["organization_id"]]].min() >= "2026-07-15"


def test_estimates_of_revenue_lie_around_the_truth_as_far_as_the_methodology_allows() -> None:
    prior = shipped_methodology("kleiman-2011-intensity").revenue
    ids = [f"g{i}" for i in range(400)]
    true, table = simulate_revenue(ids, prior, "revenue", np.random.default_rng(1))
    log_error = np.log(table["best"]) - np.log(table["organization_id"].map(true))
    within = log_error.groupby(table["source_id"]).std()
    np.testing.assert_allclose(within, np.hypot(prior.source_error, 0.3), rtol=0.15)
    assert abs(np.log(true).std() / prior.spread - 1) < 0.15
    assert ((table["low"] < table["best"]) & (table["best"] < table["high"])).all()
