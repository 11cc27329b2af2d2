from __future__ import annotations

import dataclasses
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import strategies
from design_cases import METHODOLOGY, build_case, read_case, replace_tables, simulated

from violencescore.assessment import Assessment, read_assessment
from violencescore.design import NAMES, SET, SILENT, SPEAKS, UNKNOWN, Design, build_design
from violencescore.errors import InputError
from violencescore.model.quantities import initial_vector
from violencescore.names import OTHER

ORGANIZATIONS = ["a,Alpha,true", "b,Beta,true", "c,Gamma,false"]
INCIDENTS = ["i1,2026-07-01,north", "i2,2026-08-26,south", "i3,2026-03-05,north", "i4,2026-07-15,north"]
HARMS = ["i1,killing,police,2,1,3", "i2,extortion,,4,,", "i3,killing,police,2,1,3", "i4,killing,police,2,1,3"]
WORLDS = ("demo", "dyads")


def design_of(**tables: str | list[str]) -> Design:
    given = {"organizations": ORGANIZATIONS, "incidents": INCIDENTS, "harms": HARMS} | tables
    return build_design(read_case(**given))


def factor_names(design: Design, pattern: int) -> Counter[tuple[object, ...]]:
    """What a pattern holds, in words: (kind, channel, actor or candidates) of each of its factors."""
    factors, patterns = design.factors, design.patterns
    held = [
        *patterns.firm[patterns.firm_start[pattern] : patterns.firm_start[pattern + 1]],
        *patterns.forged[patterns.forged_start[pattern] : patterns.forged_start[pattern + 1]],
    ]
    found = []
    for f in held:
        kind, channel = int(factors.kind[f]), design.channels[factors.channel[f]]
        argument = int(factors.argument[f])
        if kind == NAMES:
            found.append(("names", channel, design.actors[argument]))
        elif kind == SET:
            found.append(("set", channel, candidates(design, argument)))
        else:
            found.append(({SILENT: "silent", SPEAKS: "speaks"}[kind], channel))
    return Counter(found)


def candidates(design: Design, number: int) -> frozenset[str]:
    members = design.factors.set_member[design.factors.set_start[number] : design.factors.set_start[number + 1]]
    return frozenset(design.actors[m] for m in members)


def actor(design: Design, code: int) -> str | None:
    return None if code == UNKNOWN else design.actors[code]


def pattern_name(design: Design, p: int) -> tuple[object, ...]:
    patterns = design.patterns
    contest = int(patterns.contest[p])
    between = None
    if contest != UNKNOWN:
        between = (design.channels[design.factors.set_channel[contest]], candidates(design, contest))
    settled = (actor(design, patterns.perpetrator[p]), int(patterns.staged[p]), actor(design, patterns.framed[p]))
    return (frozenset(factor_names(design, p).items()), between, settled)


def group_counts(design: Design) -> Counter[tuple[object, ...]]:
    """Multiset of the cells and patterns of all groups, in words, with their counts."""
    groups = design.groups
    counts: Counter[tuple[object, ...]] = Counter()
    for g, n in enumerate(groups.n):
        cell = (design.kinds[groups.kind[g]], design.regions[groups.region[g]], design.periods[groups.period[g]])
        counts[(*cell, pattern_name(design, groups.pattern[g]))] += int(n)
    return counts


def pattern_of(design: Design, incident_id: str) -> int:
    at = design.incident_id.tolist().index(incident_id)
    return int(design.groups.pattern[design.incident_group[at]])


def profile_counts(design: Design) -> Counter[tuple[object, ...]]:
    profiles = design.profiles
    counts: Counter[tuple[object, ...]] = Counter()
    for f, n in enumerate(profiles.n):
        part = slice(profiles.start[f], profiles.start[f + 1])
        columns = (profiles.category[part], profiles.low[part], profiles.best[part], profiles.high[part])
        harms = Counter(zip(*(column.tolist() for column in columns), strict=True))
        counts[(int(profiles.group[f]), frozenset(harms.items()))] += int(n)
    return counts


def shuffled(assessment: Assessment, seed: int, *names: str) -> Assessment:
    rng = np.random.default_rng(seed)
    tables = {name: getattr(assessment, name) for name in names}
    orders = {name: rng.permutation(len(table)) for name, table in tables.items()}
    return replace_tables(
        assessment, **{name: table.iloc[orders[name]].reset_index(drop=True) for name, table in tables.items()}
    )


@pytest.mark.parametrize("world", WORLDS)
def test_every_incident_is_counted_in_one_group_and_one_profile(world: str) -> None:
    assessment = simulated(world, 1, 300)
    design = build_design(assessment)
    assert design.n_incidents == len(assessment.incidents)
    assert design.groups.n.sum() == design.n_incidents
    assert design.profiles.n.sum() == design.n_incidents
    of_groups = np.bincount(design.profiles.group, weights=design.profiles.n, minlength=len(design.groups.n))
    assert np.array_equal(of_groups, design.groups.n)
    assert np.array_equal(np.bincount(design.incident_group), design.groups.n)


@pytest.mark.parametrize("world", WORLDS)
def test_harms_of_the_profiles_add_up_to_the_table(world: str) -> None:
    assessment = simulated(world, 1, 300)
    design = build_design(assessment)
    profiles = design.profiles
    owner = np.repeat(np.arange(len(profiles.n)), np.diff(profiles.start))
    for column in ("low", "best", "high"):
        weights = profiles.n[owner] * getattr(profiles, column)
        found = np.bincount(profiles.category, weights=weights, minlength=len(design.categories))
        wanted = assessment.harms.groupby("category")[column].sum().reindex(list(design.categories), fill_value=0)
        assert found.tolist() == wanted.tolist()


def test_no_two_groups_share_a_cell_and_a_pattern() -> None:
    design = build_design(simulated("demo", 1, 300))
    groups = design.groups
    rows = set(zip(groups.kind, groups.region, groups.period, groups.pattern, strict=True))
    assert len(rows) == len(groups.n) < design.n_incidents
    patterns = {(*pattern_name(design, p), int(period)) for p, period in enumerate(design.patterns.stratum)}
    assert len(patterns) == len(design.patterns.stratum)


def test_a_pattern_has_the_period_of_its_groups() -> None:
    design = build_design(simulated("demo", 2, 300))
    assert np.array_equal(design.patterns.stratum[design.groups.pattern], design.groups.period)


@pytest.mark.parametrize("world", WORLDS)
def test_the_order_of_rows_changes_neither_groups_nor_density(world: str) -> None:
    assessment = simulated(world, 3, 200)
    design, kernel = build_case(assessment)
    vector = initial_vector(kernel, design) + np.random.default_rng(0).normal(0, 0.3, kernel.layout.size)
    value, gradient = kernel.log_density(vector)
    for seed in range(3):
        again, its_kernel = build_case(shuffled(assessment, seed, "incidents", "harms", "evidence", "adjudications"))
        assert group_counts(again) == group_counts(design)
        assert sorted(again.profiles.n) == sorted(design.profiles.n)
        its_value, its_gradient = its_kernel.log_density(vector)
        assert its_value == pytest.approx(value, rel=1e-12)
        assert np.allclose(its_gradient, gradient, rtol=1e-9, atol=1e-9)


def test_the_order_and_names_of_organizations_do_not_change_the_groups() -> None:
    assessment = simulated("dyads", 3, 200)
    design = build_design(assessment)
    assert group_counts(build_design(shuffled(assessment, 5, "organizations"))) == group_counts(design)
    rename = {o: f"org-{i}" for i, o in enumerate(design.organizations)}
    renamed = replace_tables(
        assessment,
        organizations=assessment.organizations.replace({"organization_id": rename}),
        evidence=assessment.evidence.replace({"organization_id": rename}),
    )
    again = build_design(renamed)
    assert again.actors == (*rename.values(), OTHER)
    assert np.array_equal(again.groups.n, design.groups.n)
    assert np.array_equal(again.factors.set_member, design.factors.set_member)


def test_a_copy_of_a_report_changes_nothing() -> None:
    once = ["i1,claim,a,banner,paper", "i2,dyad,a,x,", "i2,dyad,b,x,"]
    design = design_of(evidence=once)
    again = design_of(evidence=[*once, "i1,claim,a,banner,radio", "i2,dyad,b,x,wire", "i2,dyad,a,x,"])
    assert group_counts(again) == group_counts(design)


def test_a_second_origin_is_a_second_piece_of_evidence() -> None:
    design = design_of(evidence=["i1,claim,a,banner,", "i1,claim,a,video,", "i2,claim,a,note,"])
    assert factor_names(design, pattern_of(design, "i1")) == {("speaks", "claim"): 1, ("names", "claim", "a"): 2}
    assert factor_names(design, pattern_of(design, "i2")) == {("speaks", "claim"): 1, ("names", "claim", "a"): 1}
    assert factor_names(design, pattern_of(design, "i4")) == {("silent", "claim"): 1}


def test_a_kind_is_the_first_category_in_the_order_of_the_methodology() -> None:
    harms = ["i1,extortion,,4,,", "i1,killing,citizen,1,,", "i2,killing,gang_member,9,,", "i2,killing,journalist,1,,"]
    design = design_of(harms=[*harms, "i3,intimidation,,1,,", "i4,intimidation,,1,,"])
    codes = design.groups.kind[design.incident_group]
    kinds = dict(zip(design.incident_id, (design.kinds[k] for k in codes), strict=True))
    assert kinds == {
        "i1": "killing:citizen", "i2": "killing:journalist", "i3": "intimidation", "i4": "intimidation",
    }  # fmt: skip
    assert design.kinds == ("killing:journalist", "killing:citizen", "intimidation")
    assert design.categories.index("killing:journalist") < design.categories.index("killing:citizen")


def test_a_profile_holds_all_harms_of_an_incident_whatever_their_order() -> None:
    one = ["i1,extortion,,4,,", "i1,killing,citizen,1,0,3", "i4,killing,citizen,1,0,3", "i4,extortion,,4,,"]
    design = design_of(harms=[*one, "i2,extortion,,4,,", "i3,extortion,,4,,"])
    extortion, killing = design.categories.index("extortion"), design.categories.index("killing:citizen")
    both = frozenset({(extortion, 4, 4, 4): 1, (killing, 0, 1, 3): 1}.items())
    assert [n for (_, harms), n in profile_counts(design).items() if harms == both] == [2]


def test_the_smallest_set_of_candidates_is_what_an_incident_is_between() -> None:
    pair, triple = ["i1,dyad,a,x,", "i1,dyad,b,x,"], ["i1,panel,a,y,", "i1,panel,b,y,", "i1,panel,c,y,"]
    for evidence in ([*pair, *triple], [*triple, *pair], [*triple[::-1], *pair[::-1]]):
        design = design_of(evidence=evidence)
        p = pattern_of(design, "i1")
        assert candidates(design, design.patterns.contest[p]) == {"a", "b"}
        assert factor_names(design, p) == {("speaks", "panel"): 1, ("set", "panel", frozenset("abc")): 1}


def test_of_equal_sets_the_same_one_is_chosen_in_any_order() -> None:
    rows = ["i1,dyad,a,x,", "i1,dyad,b,x,", "i1,dyad,b,y,", "i1,dyad,c,y,", "i1,panel,a,z,", "i1,panel,c,z,"]
    names = set()
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(len(rows))
        design = design_of(evidence=[rows[i] for i in order])
        names.add(pattern_name(design, pattern_of(design, "i1")))
    assert len(names) == 1


def test_whether_the_channel_of_a_contest_speaks_is_no_factor_and_its_second_set_is() -> None:
    design = design_of(evidence=["i1,dyad,a,x,", "i1,dyad,b,x,", "i1,dyad,b,y,", "i1,dyad,c,y,", "i2,claim,a,,"])
    contested = factor_names(design, pattern_of(design, "i1"))
    assert contested.total() == 2
    assert contested["silent", "claim"] == 1
    assert {kind for kind, *_ in contested} == {"set", "silent"}
    silent = factor_names(design, pattern_of(design, "i2"))
    assert silent == {("silent", "dyad"): 1, ("speaks", "claim"): 1, ("names", "claim", "a"): 1}


def test_a_set_of_one_candidate_is_evidence_and_no_contest() -> None:
    design = design_of(evidence=["i1,dyad,b,x,"])
    assert not design.engages
    expected = {("speaks", "dyad"): 1, ("set", "dyad", frozenset("b")): 1}
    assert factor_names(design, pattern_of(design, "i1")) == expected


def test_other_cannot_stand_in_a_set_of_candidates() -> None:
    with pytest.raises(InputError, match="cannot be one of a set of candidates"):
        design_of(evidence=["i1,dyad,a,x,", "i1,dyad,other,x,"])


def test_other_is_named_only_where_evidence_says_so() -> None:
    assert not design_of(evidence=["i1,claim,a,,"]).other_is_named
    assert design_of(evidence=["i1,claim,other,,"]).other_is_named


def test_an_adjudication_says_what_was_settled_and_no_more() -> None:
    adjudications = ["i1,a,true,b", "i2,b,false,", "i3,other,,", "i4,c,true,"]
    design = design_of(evidence=["i1,claim,b,,"], adjudications=adjudications)
    patterns = design.patterns
    found = {
        i: (actor(design, patterns.perpetrator[p]), int(patterns.staged[p]), actor(design, patterns.framed[p]))
        for i in ("i1", "i2", "i3", "i4")
        for p in [pattern_of(design, i)]
    }
    assert found == {
        "i1": ("a", 1, "b"),
        "i2": ("b", 0, None),
        "i3": ("other", UNKNOWN, None),
        "i4": ("c", 1, None),
    }


def test_without_evidence_there_is_one_empty_pattern_a_period() -> None:
    design = design_of()
    assert design.channels == ()
    assert len(design.patterns.stratum) == 2
    assert not any((design.stages, design.engages, design.other_is_named))
    assert factor_names(design, 0) == Counter()


def test_a_settled_false_flag_alone_brings_staging_into_the_model() -> None:
    assert not design_of(evidence=["i1,ballistics,a,,"]).stages
    assert design_of(evidence=["i1,ballistics,a,,"], adjudications=["i2,a,false,"]).stages


def test_without_a_baseline_there_is_one_period() -> None:
    methodology = METHODOLOGY.replace("baseline_start = 2026-01-01\n", "")
    given = {"organizations": ORGANIZATIONS, "incidents": INCIDENTS, "harms": HARMS}
    design = build_design(read_case(methodology, **given))
    assert design.periods == ("window",)
    assert design.days.tolist() == [57.0]
    assert design.n_incidents == 3


def test_days_of_the_periods_count_their_first_and_last_day() -> None:
    assert dict(zip(design_of().periods, design_of().days, strict=True)) == {"baseline": 181.0, "window": 57.0}


def test_a_window_without_incidents_is_refused() -> None:
    with pytest.raises(InputError, match="must lie in the window"):
        design_of(incidents=["i3,2026-03-05,north"], harms=["i3,extortion,,1,,"])


def test_every_table_of_the_interface_goes_in(tmp_path: Path) -> None:
    design = build_design(read_assessment(strategies.write_assessment(tmp_path)))
    assert design.actors == ("007", "NA", "crew", "other")
    assert design.rankable.tolist() == [True, True, False]
    assert design.regions == ("NA", "north", "south")
    assert design.other_is_named
    patterns, p = design.patterns, pattern_of(design, "i1")
    assert (actor(design, patterns.perpetrator[p]), actor(design, patterns.framed[p])) == ("NA", "007")
    assert candidates(design, patterns.contest[pattern_of(design, "i3")]) == {"007", "NA"}


def arrays_of(record: object) -> Iterator[np.ndarray]:
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            yield value
        elif dataclasses.is_dataclass(value):
            yield from arrays_of(value)


def repeated(assessment: Assessment, times: int) -> Assessment:
    """Every incident again, under other ids."""

    def again(table: pd.DataFrame) -> pd.DataFrame:
        parts = [table.assign(incident_id=table["incident_id"] + f"/{i}") for i in range(times)]
        return pd.concat(parts, ignore_index=True)

    evidence = again(assessment.evidence)
    step = assessment.evidence["piece"].max() + 1
    evidence["piece"] += np.repeat(np.arange(times), len(assessment.evidence)) * step
    names = ("incidents", "harms", "adjudications")
    return replace_tables(assessment, evidence=evidence, **{n: again(getattr(assessment, n)) for n in names})


def test_more_incidents_of_the_same_make_no_more_groups() -> None:
    assessment = simulated("demo", 1, 300)
    design, many = build_design(assessment), build_design(repeated(assessment, 20))
    assert many.n_incidents == 20 * design.n_incidents
    assert np.array_equal(many.groups.n, 20 * design.groups.n)
    assert np.array_equal(many.profiles.n, 20 * design.profiles.n)
    assert np.array_equal(many.patterns.firm, design.patterns.firm)


def test_no_array_is_of_incidents_by_organizations() -> None:
    assessment = repeated(simulated("demo", 1, 300), 20)
    design = build_design(assessment)
    assert max(array.size for array in arrays_of(design)) == design.n_incidents
    others = pd.DataFrame({"organization_id": [f"x{i}" for i in range(400)], "name": "X", "rankable": True})
    others = others.assign(parent_id="", active_from=pd.NaT, active_to=pd.NaT)
    crowded = replace_tables(
        assessment, organizations=pd.concat([assessment.organizations[list(others)], others], ignore_index=True)
    )
    tracemalloc.start()
    build_design(crowded)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * design.n_incidents * 400 / 2
