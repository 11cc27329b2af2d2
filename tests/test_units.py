"""Units: trees, credits and sums of draws, by hand; ranks are taken after the sums, and nothing moves where there is none."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_cases import METHODOLOGY, TABLES, faults_of, hand_made, read_units, with_units

from violencescore.levels import Level, build_level, level_groups, member_harm
from violencescore.parting import join_parts, parted_design
from violencescore.ranks import rank_table
from violencescore.scenarios import draw_scenarios, unit_scenarios
from violencescore.scores import score_draws
from violencescore.trees import Classes, build_classes, build_trees, published_trees
from violencescore.units import credit_matrix, harms_at, memberships, posterior_at, tree_names

NAMES = {"a": "Alpha", "a1": "Alpha-North", "a2": "Alpha-South", "b": "Beta", "c": "Gamma"}
MERGED = ('tree = [{ name = "merged", groups = { b = ["c"] } }]',)
CONVERGED = {"converged": True}


def posterior_of(assessment, harm) -> xr.DataTree:
    level = build_level(assessment)
    assert level is not None
    groups = level_groups(level, harm, None, {}, NAMES, ("killing",))
    tree = xr.DataTree.from_dict(groups)
    tree.attrs |= {"days_window": 60.0, "days_baseline": 181.0}
    return tree


def scores_of(posterior: xr.DataTree, tree: str | None = None) -> dict[str, list[float]]:
    harms = (posterior if tree is None else posterior_at(posterior, tree))["harms"].to_dataset()
    values = harms["harm_realized"].sel(category="killing").values[0]
    return {str(id_): values[:, k].tolist() for k, id_ in enumerate(harms["organization"].values)}


# Who counts with whom.


def test_without_parents_lists_or_alliances_there_are_no_trees_at_all() -> None:
    flat = "a,Alpha,,,, a1,Alpha-North,,,, a2,Alpha-South,,,, b,Beta,,,, c,Gamma,,,,"
    for units in ('level = "organization"', 'level = "parent"'):
        assert build_trees(read_units(with_units(units), organizations=flat)) is None


def test_rows_parents_and_lists_are_published_the_level_first() -> None:
    assert published_trees(read_units()) == ("organization", "parent")
    assert published_trees(read_units(with_units('level = "parent"', *MERGED))) == ("parent", "organization", "merged")


def test_a_unit_bears_the_id_of_whoever_stands_at_its_top() -> None:
    posterior = posterior_of(read_units(with_units('level = "parent"', *MERGED)), hand_made([[1, 2, 4, 8, 16, 32]]))
    assert scores_of(posterior) == {"a": [7.0], "b": [8.0], "c": [16.0]}
    assert scores_of(posterior, "organization") == {"a": [1.0], "a1": [2.0], "a2": [4.0], "b": [8.0], "c": [16.0]}
    assert scores_of(posterior, "merged") == {"a": [1.0], "a1": [2.0], "a2": [4.0], "b": [24.0]}
    assert posterior["harms"]["harm_other"].values.tolist() == [[[32]]]
    assert memberships(posterior, "merged")["c"] == ("b", "b")


def test_a_list_may_start_from_the_parents() -> None:
    tree = 'tree = [{ name = "pact", base = "parent", groups = { c = ["a"] } }]'
    posterior = posterior_of(read_units(with_units('level = "pact"', tree)), hand_made([[1, 2, 4, 8, 16, 32]]))
    assert scores_of(posterior) == {"b": [8.0], "c": [23.0]}


def test_a_part_that_is_not_ranked_by_itself_counts_with_its_parent() -> None:
    rows = TABLES["organizations"].replace("a1,Alpha-North,a,,,", "a1,Alpha-North,a,,,false")
    posterior = posterior_of(
        read_units(with_units('level = "parent"'), organizations=rows), hand_made([[1, 2, 4, 8, 16, 32]])
    )
    assert scores_of(posterior) == {"a": [7.0], "b": [8.0], "c": [16.0]}
    assert "a1" not in scores_of(posterior, "organization")


def test_an_umbrella_that_is_not_ranked_by_itself_stands_for_its_parts() -> None:
    rows = TABLES["organizations"].replace("a,Alpha,,,,", "a,Alpha,,,,false")
    posterior = posterior_of(
        read_units(with_units('level = "parent"'), organizations=rows), hand_made([[1, 2, 4, 8, 16, 32]])
    )
    assert scores_of(posterior)["a"] == [7.0]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['level = "clan"'], "is no level and no tree of the methodology; choose one of organization, parent"),
        (['tree = [{ name = "parent", groups = { b = ["c"] } }]'], "is reserved"),
        (['tree = [{ name = "x", groups = {} }]'], "groups nobody"),
        (['tree = [{ name = "x", groups = { b = ["c"], a = ["c"] } }]'], "lists c more than once"),
        (
            ['tree = [{ name = "x", groups = { b = ["nobody"] } }]'],
            "is not an organization_id of the table organizations",
        ),
        (
            ['tree = [{ name = "x", groups = { b = ["c"] } }, { name = "x", groups = { a = ["c"] } }]'],
            "repeats the name",
        ),
        (['shared = "half"'], "must be 'perpetrator', 'equal' or 'each'"),
    ],
)
def test_what_cannot_be_meant_is_a_fault(lines: list[str], said: str) -> None:
    found = faults_of(with_units(*lines))
    assert any(said in fault for fault in found), found


# From which day on.


def test_what_was_done_before_a_merger_stays_where_it_was_done() -> None:
    assessment = read_units(with_units('level = "parent"'), events="e1,2026-07-15,merger,c,b", evidence="i1,press,b")
    trees = build_trees(assessment)
    assert trees is not None
    assert trees.days.tolist() == [14, 46]
    classes = build_classes(assessment, trees)
    assert classes is not None
    assert classes.of_incident.tolist() == [0, 1, 1, 0]
    before, after = [1, 2, 4, 8, 16, 0], [0, 0, 0, 1, 100, 0]
    harm = hand_made([np.add(before, after)], by_class=[[before, after]])
    assert scores_of(posterior_of(assessment, harm)) == {"a": [7.0], "b": [109.0], "c": [16.0]}


def test_a_listed_group_may_begin_on_a_day() -> None:
    tree = 'tree = [{ name = "late", groups = { b = { members = ["c"], since = 2026-08-01 } } }]'
    assessment = read_units(with_units(tree))
    level = build_level(assessment)
    assert level is not None and level.classes is not None
    assert level.trees.days.tolist() == [31, 29]
    assert level.classes.of_incident.tolist() == [0, 0, 1, 0]


def test_violence_that_no_class_holds_is_spread_over_the_days() -> None:
    assessment = read_units(with_units('level = "parent"'), events="e1,2026-07-31,merger,c,b")
    nothing = [[[0] * 6, [0] * 6]]
    posterior = posterior_of(assessment, hand_made([[0, 0, 0, 0, 10, 0]], by_class=nothing))
    assert scores_of(posterior) == {"a": [0.0], "b": [5.0], "c": [5.0]}


def test_the_rate_looks_ahead_and_the_baseline_back() -> None:
    assessment = read_units(with_units('level = "parent"'), events="e1,2026-07-31,merger,c,b")
    harm = hand_made([[0, 0, 0, 1, 10, 3]], by_class=[[[0, 0, 0, 1, 10, 3], [0] * 6]], baseline=[[0, 0, 0, 2, 20, 0]])
    harms = posterior_of(assessment, harm)["harms"].to_dataset().sel(category="killing")
    assert harms["harm_rate"].sel(organization="b").item() == 11
    assert harms["harm_rate"].sel(organization="c").item() == 0
    assert harms["harm_baseline"].sel(organization="c").item() == 20


# Allies.

ALLIED = "e1,2026-07-10,alliance,a1,b"


def shared_case(rule: str, *lines: str):
    return read_units(with_units(f'shared = "{rule}"', *lines), events=ALLIED)


def test_an_incident_is_shared_if_the_alliance_held_and_evidence_names_one_of_the_two() -> None:
    assessment = shared_case("equal")  # i1 is before the alliance, i3 names a2 only
    trees = build_trees(assessment)
    assert trees is not None
    classes = build_classes(assessment, trees)
    assert classes is not None
    assert classes.shared[classes.of_incident, 0].tolist() == [False, True, False, False]


def test_a_settled_case_shares_as_evidence_does() -> None:
    assessment = read_units(with_units('shared = "each"'), events=ALLIED, adjudications="i3,b")
    level = build_level(assessment)
    assert level is not None and level.classes is not None
    assert level.classes.shared[level.classes.of_incident, 0].tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("perpetrator", {"a": 1.0, "a1": 2.0, "a2": 4.0, "b": 88.0, "c": 16.0}),
        ("equal", {"a": 1.0, "a1": 42.0, "a2": 4.0, "b": 48.0, "c": 16.0}),
        ("each", {"a": 1.0, "a1": 82.0, "a2": 4.0, "b": 88.0, "c": 16.0}),
    ],
)
def test_the_rule_says_who_is_credited(rule: str, expected: dict[str, float]) -> None:
    """Nobody's incidents were shared but eighty of b's."""
    assessment = shared_case(rule)
    if rule == "perpetrator":
        assert build_level(assessment).classes is None
        harm = hand_made([[1, 2, 4, 88, 16, 0]])
    else:
        harm = hand_made([[1, 2, 4, 88, 16, 0]], by_class=[[[1, 2, 4, 8, 16, 0], [0, 0, 0, 80, 0, 0]]])
    assert {id_: v for id_, [v] in scores_of(posterior_of(assessment, harm)).items()} == expected


def test_a_unit_that_holds_both_allies_is_credited_once() -> None:
    for rule in ("equal", "each"):
        tree = 'tree = [{ name = "one", groups = { a1 = ["b"] } }]'
        assessment = shared_case(rule, 'level = "one"', tree)
        harm = hand_made([[0, 0, 0, 80, 0, 0]], by_class=[[[0] * 6, [0, 0, 0, 80, 0, 0]]])
        assert scores_of(posterior_of(assessment, harm))["a1"] == [80.0]


def test_equal_parts_leave_the_total_as_it_is_and_each_shows_no_baseline() -> None:
    parts = [[[1, 2, 4, 8, 16, 5], [0, 0, 0, 81, 0, 3]]]
    harm = hand_made(np.sum(parts, axis=1), by_class=parts, baseline=[[1, 1, 1, 1, 1, 7]])
    equal = posterior_of(shared_case("equal"), harm)["harms"].to_dataset()
    assert float(equal["harm_realized"].sum() + equal["harm_other"].sum()) == np.sum(parts)
    assert equal["harm_other"].item() == 8
    assert "harm_baseline" in equal
    assert "harm_baseline" not in posterior_of(shared_case("each"), harm)["harms"]


def test_three_allies_share_in_thirds() -> None:
    credit = credit_matrix(
        build_trees(
            read_units(with_units('shared = "equal"'), events="e1,2026-07-01,alliance,a,b e2,2026-07-01,alliance,a,c")
        ),
        Classes(np.zeros(4, int), np.zeros(1, int), np.ones((1, 2), bool)),
        "equal",
    )
    assert credit[0, 0, 0].tolist() == [1 / 3, 0, 0, 1 / 3, 1 / 3]
    assert credit[0, 0, 3].tolist() == [0.5, 0, 0, 0.5, 0]  # b is no ally of c


# Sums, then ranks.


@cache
def parents_case():
    return read_units(with_units('level = "parent"'))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(0, 9), min_size=6, max_size=6), min_size=1, max_size=12))
def test_ranks_of_units_are_those_of_sums_within_each_draw(draws: list[list[int]]) -> None:
    posterior = posterior_of(parents_case(), hand_made(draws))
    values = np.array(draws)
    sums = np.column_stack([values[:, :3].sum(axis=1), values[:, 3], values[:, 4]])
    harms = posterior["harms"]["harm_realized"].sel(category="killing").values[0]
    assert harms.tolist() == sums.tolist()
    first = rank_table(harms.astype(float), names=["a", "b", "c"]).set_index("organization_id")["p_first"]
    best = sums == sums.max(axis=1, keepdims=True)
    assert np.allclose(first[["a", "b", "c"]], (best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def test_the_sum_of_two_who_are_never_first_may_always_be_first() -> None:
    draws = [[0, 6, 5, 8, 0, 0], [0, 5, 6, 8, 0, 0]] * 100
    posterior = posterior_of(read_units(with_units('level = "parent"')), hand_made(draws))
    methodology = read_units(with_units('level = "parent"')).methodology
    results = draw_scenarios(posterior, methodology, CONVERGED)
    shown = {r.name: r for r in results if r.name.startswith("units")}
    assert list(shown) == ["units organization"]
    assert shown["units organization"].leader == "b"
    assert shown["units organization"].changes == "each organization by itself"
    assert rank_table(score_draws(posterior, methodology))["organization_id"].iloc[0] == "a"


def test_a_scenario_about_a_tree_takes_the_place_of_the_one_that_is_added() -> None:
    scenario = '\n[[scenario]]\nname = "as one"\nunits = "merged"\n'
    methodology = read_units(with_units(*MERGED) + scenario).methodology
    assert [s.name for s in unit_scenarios(("organization", "parent", "merged"), methodology)] == ["units parent"]
    assert any("is no level and no tree" in f for f in faults_of(METHODOLOGY + scenario))


def test_a_bundle_without_the_parts_of_units_shows_what_was_kept() -> None:
    posterior = posterior_of(read_units(with_units('level = "parent"')), hand_made([[0, 6, 5, 8, 0, 0]] * 100))
    methodology = read_units(with_units('level = "parent"')).methodology
    kept = [r for r in draw_scenarios(posterior, methodology, CONVERGED) if r.name == "units organization"]
    bare = xr.DataTree.from_dict({"harms": posterior["harms"].to_dataset()})
    assert tree_names(bare) == ()
    assert kept[0] in draw_scenarios(bare, methodology, CONVERGED, kept)


def test_harm_stays_whole_numbers_where_every_credit_is_whole() -> None:
    posterior = posterior_of(read_units(), hand_made([[1, 2, 4, 8, 16, 32]]))
    assert posterior["harms"]["harm_realized"].dtype == np.int64
    assert harms_at(posterior["units"].to_dataset(), "parent")["harm_realized"].dtype == np.int64


# Revenue.


def test_a_units_revenue_is_the_sum_over_those_of_whom_there_is_an_estimate() -> None:
    assessment = read_units(with_units('level = "parent"'))
    ids = ["a", "a1", "a2", "b", "c"]
    revenue = xr.Dataset(
        {"revenue": (("chain", "draw", "organization"), [[[1.0, 2.0, 4.0, 8.0, 16.0]]])}, coords={"organization": ids}
    )
    level = build_level(assessment)
    harm = hand_made([[1, 2, 4, 8, 16, 32]])
    groups = level_groups(level, harm, revenue, {"revenue": frozenset({"a1", "a2", "b"})}, NAMES, ("killing",))
    found = groups["revenue"]["revenue"].sel(chain=0, draw=0)
    assert found.to_series().to_dict() == {"a": 6.0, "b": 8.0, "c": 16.0}


# The draws of a fit.


def test_parting_changes_neither_groups_nor_totals() -> None:
    from violencescore.attribution import attribute_draws
    from violencescore.design import build_design
    from violencescore.model.kernel import build_kernel
    from violencescore.model.quantities import initial_vector

    assessment = read_units(with_units('shared = "equal"'), events=ALLIED)
    design = build_design(assessment)
    level = build_level(assessment)
    assert isinstance(level, Level)
    parted = parted_design(design, assessment, level.classes)
    assert parted.groups is design.groups
    kernel = build_kernel(design, assessment.methodology.priors)
    vectors = np.tile(initial_vector(kernel, design), (2, 200, 1))
    joined, by_class = join_parts(attribute_draws(kernel, parted, vectors, 1), design)
    plain, nothing = join_parts(attribute_draws(kernel, design, vectors, 1), design)
    assert nothing is None and by_class is not None
    harm = member_harm(design, joined, by_class)
    assert (harm.by_class.sum(axis=2) == harm.realized).all()
    assert (joined.realized.sum(axis=3) == plain.realized.sum(axis=3)).all()
    assert np.allclose(joined.responsibility, plain.responsibility)
    shared = by_class[:, :, level.classes.of_incident[1]].sum(axis=(2, 3))
    assert (shared == 2).all()  # the two victims of i2, whoever killed them


def test_classes_need_no_particular_order_of_incidents() -> None:
    rows = "i3,2026-08-10,south i2,2026-07-20,north i1,2026-07-02,north i4,2026-03-03,south"
    assessment = read_units(with_units('shared = "equal"'), events=ALLIED, incidents=rows)
    level = build_level(assessment)
    shared = pd.Series(level.classes.shared[level.classes.of_incident, 0], index=assessment.incidents["incident_id"])
    assert shared.to_dict() == {"i3": False, "i2": True, "i1": False, "i4": False}
