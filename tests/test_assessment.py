"""Reading an assessment: what is kept as it is, what is resolved, and what is left out and said."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import METHODOLOGY, TABLES, write_assessment

from violencescore.assessment import read_assessment
from violencescore.cleaning import resolve_overlaps
from violencescore.methodology import methodology_from_dict, shipped_methodology
from violencescore.schemas import COLUMNS


def rows(frame: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(frame[list(columns)].itertuples(index=False, name=None))


def test_ids_that_look_like_numbers_or_missing_values_stay_text(tmp_path: Path) -> None:
    assessment = read_assessment(write_assessment(tmp_path))
    assert list(assessment.organizations["organization_id"]) == ["007", "NA", "crew"]
    assert list(assessment.incidents["region"]) == ["north", "south", "north", "NA"]


@pytest.mark.parametrize("name", TABLES)
def test_a_bom_is_read_not_refused(tmp_path: Path, name: str) -> None:
    plain = read_assessment(write_assessment(tmp_path / "plain"))
    marked = read_assessment(write_assessment(tmp_path / "bom", **{name: b"\xef\xbb\xbf" + TABLES[name].encode()}))
    require_same_tables(plain, marked)


def test_line_ends_and_quotes_do_not_matter(tmp_path: Path) -> None:
    quoted = {
        name: "".join(",".join(f'"{cell}"' for cell in line.split(",")) + "\r\n" for line in text.splitlines())
        for name, text in TABLES.items()
    }
    require_same_tables(
        read_assessment(write_assessment(tmp_path / "a")),
        read_assessment(write_assessment(tmp_path / "b", **quoted)),
    )


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    folder = write_assessment(tmp_path / "parquet", **dict.fromkeys(TABLES))
    write_assessment(tmp_path / "csv")
    for name in TABLES:
        frame = pd.read_csv(
            tmp_path / "csv" / f"{name}.csv",
            dtype={"organization_id": "str", "framed_id": "str"},
            keep_default_na=False,
            na_values=[""],
        )
        for column in frame.columns.intersection(["date", "active_from"]):
            frame[column] = pd.to_datetime(frame[column])
        frame["extra"] = 1.5
        frame.to_parquet(folder / f"{name}.parquet")
    require_same_tables(read_assessment(tmp_path / "csv"), read_assessment(folder))


def test_extra_columns_and_other_orders_of_columns_are_fine(tmp_path: Path) -> None:
    lines = [",".join([*reversed(line.split(",")), "anything"]) for line in TABLES["harms"].splitlines()]
    changed = write_assessment(tmp_path / "b", harms="\n".join(lines))
    require_same_tables(read_assessment(write_assessment(tmp_path / "a")), read_assessment(changed))


def require_same_tables(one: object, two: object) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))


def test_optional_tables_that_are_absent_are_empty_with_their_columns(tmp_path: Path) -> None:
    optional = ("evidence", "adjudications", "reports", "revenue", "panel_weights")
    full = read_assessment(write_assessment(tmp_path / "full"))
    bare = read_assessment(write_assessment(tmp_path / "bare", **dict.fromkeys(optional)))
    for name in optional:
        assert getattr(bare, name).empty
        assert getattr(bare, name).dtypes.to_dict() == getattr(full, name).dtypes.to_dict()


def test_tables_have_the_columns_that_are_promised(tmp_path: Path) -> None:
    assessment = read_assessment(write_assessment(tmp_path))
    for name in ("organizations", "adjudications", "reports", "revenue"):
        assert list(getattr(assessment, name).columns) == list(COLUMNS[name])
    assert list(assessment.incidents.columns) == ["incident_id", "date_start", "date_end", "region", "period"]
    assert list(assessment.harms.columns) == [
        "incident_id",
        "category",
        "element",
        "victim_role",
        "best",
        "low",
        "high",
    ]
    assert list(assessment.evidence.columns) == [
        "incident_id", "channel", "organization_id", "piece", "origin", "source_id"]  # fmt: skip
    assert (assessment.harms[["best", "low", "high"]].dtypes == "int64").all()


def test_names_and_aliases_resolve_to_one_organization(tmp_path: Path) -> None:
    names = ["007", "Seven", "los siete", " The Seven ", "NORTE\u00d1OS", "norten\u0303os", "other", "Other"]
    evidence = "incident_id,channel,organization_id\n" + "".join(f'i1,press,"{name}"\n' for name in names)
    assessment = read_assessment(write_assessment(tmp_path, evidence=evidence))
    assert list(assessment.evidence["organization_id"]) == ["007"] * 4 + ["NA"] * 2 + ["other"] * 2
    assert rows(assessment.adjudications, "organization_id", "framed_id") == [("NA", "007"), ("other", "")]


def test_an_exact_id_goes_before_an_id_in_another_case(tmp_path: Path) -> None:
    tables = {
        "organizations": "organization_id,name\na,First\nA,Second\n",
        "evidence": "incident_id,channel,organization_id\ni1,press,a\ni1,press,A\ni1,press,first\n",
    }
    assessment = read_assessment(write_assessment(tmp_path, **tables, adjudications=None, revenue=None))
    assert list(assessment.evidence["organization_id"]) == ["a", "A", "a"]


def test_organizations_are_rankable_unless_said_otherwise(tmp_path: Path) -> None:
    organizations = read_assessment(write_assessment(tmp_path)).organizations
    assert list(organizations["rankable"]) == [True, True, False]
    assert organizations["aliases"][0] == ("Los Siete", "The Seven")


def test_periods_include_their_first_and_last_day_and_the_rest_is_left_out_and_counted(
    tmp_path: Path,
) -> None:
    days = {"before": "2025-12-31", "first": "2026-01-01", "last": "2026-06-30", "start": "2026-07-01",
            "end": "2026-08-26", "after": "2026-08-27"}  # fmt: skip
    tables = {
        "incidents": "incident_id,date,region\n" + "".join(f"{name},{day},x\n" for name, day in days.items()),
        "harms": "incident_id,element,best\n" + "".join(f"{name},terror,1\n" for name in days),
        "evidence": "incident_id,channel,organization_id\n" + "".join(f"{name},press,NA\n" for name in days),
        "reports": "incident_id,source_id\n" + "".join(f"{name},paper\n" for name in days),
        "adjudications": "incident_id,organization_id\n" + "".join(f"{name},NA\n" for name in days),
    }
    assessment = read_assessment(write_assessment(tmp_path, **tables))
    kept = [("first", "baseline"), ("last", "baseline"), ("start", "window"), ("end", "window")]
    assert rows(assessment.incidents, "incident_id", "period") == kept
    assert assessment.messages == ("2 of 6 incidents lie outside both periods and were left out.",)
    for frame in (assessment.harms, assessment.evidence, assessment.reports, assessment.adjudications):
        assert list(frame["incident_id"]) == [name for name, _ in kept]


def test_without_a_baseline_everything_before_the_window_is_left_out(tmp_path: Path) -> None:
    methodology = METHODOLOGY.replace("baseline_start = 2026-01-01\n", "")
    assessment = read_assessment(write_assessment(tmp_path, methodology=methodology))
    assert set(assessment.incidents["period"]) == {"window"}
    assert "1 of 4 incidents lie outside both periods and were left out." in assessment.messages


def test_an_incident_belongs_to_the_period_of_its_first_day(tmp_path: Path) -> None:
    incidents = (
        "incident_id,date_start,date_end,region\n"
        "i1,2026-06-30,2026-07-02,x\ni2,2026-07-05,,x\ni3,2026-08-26,2026-09-09,x\n"
    )
    harms = "incident_id,element,best\ni1,terror,1\ni2,terror,1\ni3,terror,1\n"
    tables = {"incidents": incidents, "harms": harms, "evidence": None}
    assessment = read_assessment(write_assessment(tmp_path, **tables))
    assert list(assessment.incidents["period"]) == ["baseline", "window", "window"]
    assert assessment.incidents["date_end"][1] == pd.Timestamp("2026-07-05")


def test_a_harm_goes_to_its_own_category_before_that_of_its_element(tmp_path: Path) -> None:
    methodology = METHODOLOGY + (
        '[[category]]\nelement = "killing"\nweight = 1\n'
        '[[category]]\nelement = "killing"\nvictim_role = "police"\nweight = 2\n'
    )
    harms = "incident_id,element,victim_role,best\ni1,killing,police,1\ni1,killing,citizen,2\ni1,killing,,3\n"
    assessment = read_assessment(write_assessment(tmp_path, methodology=methodology, harms=harms))
    assert list(assessment.harms["category"]) == ["killing:police", "killing", "killing"]


def test_harms_without_a_category_are_left_out_and_counted_by_element(tmp_path: Path) -> None:
    harms = "incident_id,element,best\ni1,corruption,1\ni2,corruption,1\ni2,terror,1\ni3,killing,1\ni4,terror,0\n"
    assessment = read_assessment(write_assessment(tmp_path, harms=harms))
    assert list(assessment.incidents["incident_id"]) == ["i2", "i4"]
    assert set(assessment.evidence["incident_id"]) == {"i2", "i4"}
    assert assessment.messages[:2] == (
        "3 rows of harms have no category in the methodology and were left out (corruption 2, killing 1).",
        "2 incidents without a harm that is scored were left out.",
    )


def test_an_incident_without_harms_is_left_out_and_said(tmp_path: Path) -> None:
    harms = "incident_id,element,best\ni1,terror,1\n"
    assessment = read_assessment(write_assessment(tmp_path, harms=harms))
    assert assessment.messages[0] == "3 incidents without any row in harms were left out."


def test_missing_low_and_high_are_best(tmp_path: Path) -> None:
    harms = "incident_id,element,best,low,high\ni1,terror,2,,\ni2,terror,3,1,\ni3,terror,4,,5.0\n"
    assessment = read_assessment(write_assessment(tmp_path, harms=harms))
    assert rows(assessment.harms, "low", "best", "high") == [(2, 2, 2), (1, 3, 3), (4, 4, 5)]


def test_a_kidnapping_that_ends_in_death_counts_once(tmp_path: Path) -> None:
    harms = (
        "incident_id,element,victim_role,best,low,high\n"
        "i1,kidnapping,citizen,2,2,2\ni1,killing,citizen,2,2,2\n"  # all died
        "i2,kidnapping,citizen,5,4,6\ni2,killing,citizen,2,1,3\n"  # two of five
        "i3,kidnapping,citizen,5,4,6\ni3,killing,police,2,1,3\n"  # other people
        "i4,kidnapping,,5,4,6\ni4,killing,unknown,2,1,3\n"  # not known to be the same
    )
    assessment = read_assessment(write_assessment(tmp_path, harms=harms))
    kidnapped = assessment.harms[assessment.harms["element"] == "kidnapping"]
    assert rows(kidnapped, "incident_id", "low", "best", "high") == [
        ("i2", 1, 3, 5),
        ("i3", 4, 5, 6),
        ("i4", 4, 5, 6),
    ]
    killed = assessment.harms[assessment.harms["element"] == "killing"]
    assert list(killed["best"]) == [2, 2, 2, 2]
    assert (
        "1 row of harms describe victims already counted under an earlier element and were left out."
        in assessment.messages
    )


def test_terror_is_not_part_of_the_overlap_unless_the_methodology_says_so(tmp_path: Path) -> None:
    harms = "incident_id,element,best\ni1,terror,3\ni1,kidnapping,2\n"
    plain = read_assessment(write_assessment(tmp_path, harms=harms))
    assert list(plain.harms["best"]) == [3, 2]
    methodology = METHODOLOGY + '[harms]\nprecedence = ["kidnapping", "terror"]\n'
    declared = read_assessment(write_assessment(tmp_path, harms=harms, methodology=methodology))
    assert list(declared.harms["best"]) == [1, 2]


def test_a_victim_is_not_lost_to_an_element_that_is_not_scored(tmp_path: Path) -> None:
    methodology = METHODOLOGY + '[[category]]\nelement = "kidnapping"\nweight = 1\n'
    harms = "incident_id,element,best\ni1,kidnapping,2\ni1,killing,2\n"
    assessment = read_assessment(write_assessment(tmp_path, harms=harms, methodology=methodology))
    assert rows(assessment.harms, "element", "best") == [("kidnapping", 2)]


COUNTS = st.tuples(*[st.integers(0, 6)] * 3).map(sorted)


@given(st.lists(COUNTS, min_size=1, max_size=3))
def test_overlaps_keep_their_order_and_count_as_many_as_the_greatest(counts: list[list[int]]) -> None:
    elements = ["killing", "kidnapping", "terror"][: len(counts)]
    harms = pd.DataFrame(counts, columns=["low", "best", "high"]).assign(
        incident_id="i", victim_role="", element=elements
    )
    kept = resolve_overlaps(harms, ("killing", "kidnapping", "terror"))
    assert ((kept["low"] >= 0) & (kept["low"] <= kept["best"]) & (kept["best"] <= kept["high"])).all()
    assert kept["best"].sum() == max(best for _, best, _ in counts)
    assert (kept.iloc[0] == harms.iloc[0]).all()


@given(st.permutations(range(4)))
def test_overlaps_do_not_depend_on_the_order_of_the_rows(order: list[int]) -> None:
    harms = pd.DataFrame({
        "incident_id": ["a", "a", "b", "b"], "element": ["killing", "kidnapping"] * 2, "victim_role": "",
        "best": [2, 5, 1, 1], "low": [1, 4, 1, 1], "high": [3, 6, 1, 2],
    })  # fmt: skip
    shuffled = resolve_overlaps(harms.iloc[order], ("killing", "kidnapping")).sort_index()
    pd.testing.assert_frame_equal(shuffled, resolve_overlaps(harms, ("killing", "kidnapping")))


def pieces(folder: Path, evidence: str) -> list[tuple[object, ...]]:
    evidence = "incident_id,channel,organization_id,origin,source_id\n" + evidence
    return rows(read_assessment(write_assessment(folder, evidence=evidence)).evidence, "organization_id", "piece")


def test_copies_of_one_origin_count_once(tmp_path: Path) -> None:
    assert pieces(tmp_path, "i1,claim,007,o,a\ni1,claim,Seven,o,b\ni1,claim,NA,p,a\n") == [
        ("007", 0),
        ("NA", 1),
    ]


def test_duplicating_every_report_changes_nothing(tmp_path: Path) -> None:
    once = read_assessment(write_assessment(tmp_path / "once"))
    body = TABLES["evidence"].split("\n", 1)[1].replace("i4,witness,other,,\n", "")
    twice = read_assessment(write_assessment(tmp_path / "twice", evidence=TABLES["evidence"] + body))
    pd.testing.assert_frame_equal(once.evidence, twice.evidence)


def test_without_an_origin_each_row_is_its_own_unless_one_source_repeats_itself(tmp_path: Path) -> None:
    evidence = "i1,press,007,,\ni1,press,007,,\ni1,press,007,,a\ni1,press,007,,a\ni1,press,007,,b\ni1,press,NA,,a\n"
    assert pieces(tmp_path, evidence) == [("007", 0), ("007", 1), ("007", 2), ("007", 3), ("NA", 4)]


def test_an_origin_is_one_piece_only_within_an_incident_and_a_channel(tmp_path: Path) -> None:
    assert pieces(tmp_path, "i1,press,007,o,\ni1,claim,NA,o,\ni2,press,NA,o,\n") == [
        ("007", 0),
        ("NA", 1),
        ("NA", 2),
    ]


def test_candidates_of_one_event_are_one_piece(tmp_path: Path) -> None:
    evidence = "i1,dyad,007,o,\ni1,dyad,NA,p,\ni1,dyad,NA,o,\ni1,dyad,other,o,\ni1,dyad,Seven,o,\n"
    assert pieces(tmp_path, evidence) == [("007", 0), ("NA", 1), ("NA", 0), ("other", 0)]


def test_whoever_names_the_framed_one_says_that_it_was_staged(tmp_path: Path) -> None:
    adjudications = "incident_id,organization_id,false_flag,framed_id\ni1,NA,,007\ni2,NA,,\ni3,NA,False,\n"
    settled = read_assessment(write_assessment(tmp_path, adjudications=adjudications)).adjudications
    assert settled["false_flag"].tolist() == [True, pd.NA, False]


def test_repeated_reports_and_estimates_count_once(tmp_path: Path) -> None:
    tables = {name: TABLES[name] + TABLES[name].splitlines()[1] + "\n" for name in ("reports", "revenue")}
    assessment = read_assessment(write_assessment(tmp_path, **tables))
    assert (len(assessment.reports), len(assessment.revenue)) == (3, 2)
    assert assessment.messages[-2:] == (
        "1 row of reports repeat others and were left out.",
        "1 row of revenue repeat others and were left out.",
    )


def test_revenue_is_of_the_kind_revenue_unless_said_otherwise(tmp_path: Path) -> None:
    revenue = read_assessment(write_assessment(tmp_path)).revenue
    assert rows(revenue, "organization_id", "best", "year", "kind") == [
        ("007", 10.5, 2025, "revenue"),
        ("NA", 30, 2025, "revenue"),
    ]


def test_panel_weights_of_what_is_no_category_are_left_out_and_counted(tmp_path: Path) -> None:
    panel = TABLES["panel_weights"] + "ben,corruption,,2\n"
    assessment = read_assessment(write_assessment(tmp_path, panel_weights=panel))
    assert list(assessment.panel_weights["category"]) == ["killing:police", "extortion", "killing:police"]
    assert "1 row of panel_weights weigh what is no category" in assessment.messages[-1]


def test_a_methodology_given_overrides_that_of_the_folder(tmp_path: Path) -> None:
    window = {"start": "2026-07-01", "end": "2026-07-01"}
    channels = {"dyad": {"forgeable": False, "candidates": True}}
    given_one = methodology_from_dict({"extends": "kleiman-2011", "window": window, "channels": channels})
    for content in (None, "not [ toml"):
        folder = write_assessment(tmp_path / str(content is None), methodology=content)
        assessment = read_assessment(folder, given_one)
        assert assessment.methodology is given_one
        assert list(assessment.incidents["incident_id"]) == ["i1"]
        assert "methodology.toml" not in assessment.inputs


def test_the_inputs_are_digested_as_they_were_read(tmp_path: Path) -> None:
    folder = write_assessment(tmp_path)
    (folder / "datapackage.json").write_text("{}")
    (folder / "notes.txt").write_text("not an input")
    inputs = read_assessment(folder).inputs
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    del expected["notes.txt"]
    assert inputs == expected


def test_an_assessment_cannot_be_changed(tmp_path: Path) -> None:
    assessment = read_assessment(write_assessment(tmp_path))
    with pytest.raises(dataclasses.FrozenInstanceError):
        assessment.methodology = shipped_methodology()  # type: ignore[misc]


def test_the_order_of_files_is_kept(tmp_path: Path) -> None:
    head, *lines = TABLES["incidents"].splitlines()
    assessment = read_assessment(write_assessment(tmp_path, incidents="\n".join([head, *reversed(lines)])))
    assert list(assessment.incidents["incident_id"]) == ["i4", "i3", "i2", "i1"]
