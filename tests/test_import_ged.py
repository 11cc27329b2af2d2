"""A UCDP GED file becomes an assessment that says no more than the file does."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from violencescore.assessment import read_assessment
from violencescore.errors import InputError
from violencescore.importers import ImportSummary, import_ged
from violencescore.importers.ged_tables import build_slugs, spread

REAL = Path(__file__).parents[2] / "shared" / "data" / "ged_mexico" / "ucdp_ged_mexico.csv"
ORDINARY = {
    "relid": "MEX-2008-2-1-1",
    "year": "2008",
    "type_of_violence": "2",
    "conflict_new_id": "1",
    "dyad_name": "Juarez Cartel - Sinaloa Cartel",
    "side_a": "Juarez Cartel",
    "side_b": "Sinaloa Cartel",
    "source_article": "A paper, 2008",
    "adm_1": "Chihuahua state",
    "country": "Mexico",
    "date_prec": "1",
    "date_start": "2008-05-01",
    "date_end": "2008-05-01",
    "deaths_a": "0",
    "deaths_b": "0",
    "deaths_civilians": "0",
    "deaths_unknown": "0",
    "best": "0",
    "high": "0",
    "low": "0",
}
COLUMNS = ["id", *ORDINARY]


def event(deaths: tuple[int, int, int, int] = (0, 0, 0, 1), **changes: str) -> dict[str, str]:
    """An event; deaths of side a, side b, civilians and unknown, with the range at their sum unless changed."""
    total = str(sum(deaths))
    counts = dict(zip(("deaths_a", "deaths_b", "deaths_civilians", "deaths_unknown"), map(str, deaths), strict=True))
    return ORDINARY | counts | {"best": total, "high": total, "low": total} | changes


def write_ged(folder: Path, *events: Mapping[str, str], columns: list[str] = COLUMNS, name: str = "ged.csv") -> Path:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for number, row in enumerate(events):
        writer.writerow({"id": str(100 + number)} | dict(row))
    path = folder / name
    path.write_text(stream.getvalue(), encoding="utf-8", newline="")
    return path


def run(folder: Path, *events: Mapping[str, str]) -> tuple[ImportSummary, dict[str, pd.DataFrame]]:
    summary = import_ged(write_ged(folder, *events), folder / "out")
    return summary, read_tables(folder / "out")


def read_tables(out: Path) -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_csv(path, dtype=str, na_filter=False) for path in out.glob("*.csv")}


def faults_of(folder: Path, *events: Mapping[str, str]) -> list[str]:
    with pytest.raises(InputError) as caught:
        import_ged(write_ged(folder, *events), folder / "out")
    assert not (folder / "out").exists()
    return [str(fault) for fault in caught.value.faults]


def named(tables: Mapping[str, pd.DataFrame], incident_id: str) -> list[tuple[str, str]]:
    rows = tables["evidence"].query("incident_id == @incident_id")
    return list(zip(rows["channel"], rows["organization_id"], strict=True))


def harms_of(tables: Mapping[str, pd.DataFrame], incident_id: str) -> list[tuple[str, str, str, str]]:
    rows = tables["harms"].query("incident_id == @incident_id")
    return list(zip(rows["victim_role"], rows["best"], rows["low"], rows["high"], strict=True))


# Who may have killed -----------------------------------------------------------------------------------------


def test_the_dead_of_unknown_side_name_both_sides_as_candidates_of_one_piece(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event((0, 0, 0, 3)))
    assert named(tables, "100") == [("dyad", "juarez-cartel"), ("dyad", "sinaloa-cartel")]
    assert tables["evidence"]["origin"].nunique() == 1
    assert harms_of(tables, "100") == [("unknown", "3", "3", "3")]


def test_the_dead_of_side_a_are_the_doing_of_side_b(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event((2, 0, 0, 0)), event((0, 4, 0, 0)))
    assert named(tables, "100") == [("dyad", "sinaloa-cartel")]
    assert named(tables, "101") == [("dyad", "juarez-cartel")]
    assert harms_of(tables, "101") == [("gang_member", "4", "4", "4")]


def test_an_event_with_different_killers_becomes_several_incidents(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event((2, 3, 1, 5)))
    assert tables["incidents"]["incident_id"].tolist() == ["100-a", "100-ab", "100-b"]
    assert named(tables, "100-a") == [("dyad", "juarez-cartel")]
    assert harms_of(tables, "100-a") == [("gang_member", "3", "3", "3")]
    assert named(tables, "100-b") == [("dyad", "sinaloa-cartel")]
    assert harms_of(tables, "100-ab") == [("citizen", "1", "1", "1"), ("unknown", "5", "5", "5")]
    assert summary.n_deaths == 11
    assert "1 event became more than one incident" in " ".join(summary.messages)


def test_an_attack_on_civilians_names_the_attacker_alone(tmp_path: Path) -> None:
    attack = event((0, 0, 6, 2), type_of_violence="3", side_a="Los Zetas", side_b="Civilians")
    summary, tables = run(tmp_path, attack)
    assert named(tables, "100") == [("dyad", "los-zetas")]
    assert harms_of(tables, "100") == [("citizen", "6", "6", "6"), ("unknown", "2", "2", "2")]
    assert tables["organizations"]["name"].tolist() == ["Los Zetas"]
    assert summary.n_deaths_named == 8


def test_an_attack_on_civilians_by_an_alliance_names_its_members_as_candidates(tmp_path: Path) -> None:
    attack = event((0, 0, 6, 0), type_of_violence="3", side_a="Los Zetas, Gulf Cartel", side_b="Civilians")
    summary, tables = run(tmp_path, attack)
    assert named(tables, "100") == [("dyad", "los-zetas"), ("dyad", "gulf-cartel")]
    assert summary.n_deaths_named == 0


def test_an_attacker_killed_by_civilians_is_nobodys_listed_doing(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event((1, 0, 2, 0), type_of_violence="3", side_b="Civilians"))
    assert named(tables, "100-a") == [("dyad", "juarez-cartel")]
    assert named(tables, "100-b") == []


def test_a_name_with_a_dash_is_one_organization(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event(side_a="Sinaloa Cartel - Los Chapitos", side_b="Sinaloa Cartel - Los Mayos"))
    assert tables["organizations"]["name"].tolist() == [
        "Sinaloa Cartel - Los Chapitos",
        "Sinaloa Cartel - Los Mayos",
    ]
    assert [name for _, name in named(tables, "100")] == [
        "sinaloa-cartel-los-chapitos",
        "sinaloa-cartel-los-mayos",
    ]


def test_an_alliance_is_split_at_commas_only(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event((0, 7, 0, 0), side_a=" Gulf Cartel,  La Familia, Sinaloa Cartel - Los Mayos "))
    assert [name for _, name in named(tables, "100")] == [
        "gulf-cartel",
        "la-familia",
        "sinaloa-cartel-los-mayos",
    ]
    assert {channel for channel, _ in named(tables, "100")} == {"dyad"}


def test_an_organization_on_both_sides_is_one_candidate(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event(side_a="Gulf Cartel, Los Zetas", side_b="Los Zetas"))
    assert [name for _, name in named(tables, "100")] == ["gulf-cartel", "los-zetas"]


def test_a_government_is_named_but_not_ranked_and_its_dead_have_no_known_role(tmp_path: Path) -> None:
    fight = event((2, 1, 0, 0), type_of_violence="1", side_a="Government of Mexico", side_b="EPR")
    _, tables = run(tmp_path, fight)
    rankable = dict(zip(tables["organizations"]["name"], tables["organizations"]["rankable"], strict=True))
    assert rankable == {"EPR": "true", "Government of Mexico": "false"}
    assert harms_of(tables, "100-b") == [("unknown", "2", "2", "2")]
    assert harms_of(tables, "100-a") == [("gang_member", "1", "1", "1")]


def test_an_actor_without_a_name_leaves_no_half_set_of_candidates(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event((0, 3, 0, 1), side_b="XXX512"))
    assert named(tables, "100-ab") == []
    assert named(tables, "100-a") == [("dyad", "juarez-cartel")]
    assert tables["organizations"]["name"].tolist() == ["Juarez Cartel"]
    assert "1 incident have no evidence" in " ".join(summary.messages)


# Counts ------------------------------------------------------------------------------------------------------


def test_the_range_of_a_single_harm_is_that_of_the_event(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event((0, 0, 0, 3), low="1", high="9"))
    assert harms_of(tables, "100") == [("unknown", "3", "1", "9")]


def test_the_range_of_an_event_is_spread_over_its_harms(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event((4, 2, 0, 0), low="3", high="12"))
    assert harms_of(tables, "100-b") == [("gang_member", "4", "2", "8")]
    assert harms_of(tables, "100-a") == [("gang_member", "2", "1", "4")]


def test_a_range_that_misses_the_best_estimate_is_widened_and_said(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event((0, 0, 0, 2), low="3"), event((0, 0, 0, 5), high="4"))
    assert harms_of(tables, "100") == [("unknown", "2", "2", "2")]
    assert harms_of(tables, "101") == [("unknown", "5", "5", "5")]
    assert any("2 events have a best estimate outside low to high" in text for text in summary.messages)


def test_deaths_by_side_win_over_a_total_that_differs_and_it_is_said(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event((0, 0, 1, 2), best="7", low="3", high="7"))
    assert tables["harms"]["best"].astype(int).sum() == 3
    assert any("1 event have a best estimate that is not the sum" in text for text in summary.messages)


def test_a_total_without_deaths_by_side_is_not_lost(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event((0, 0, 0, 0), best="4", low="4", high="6"))
    assert harms_of(tables, "100") == [("unknown", "4", "4", "6")]
    assert any("give a total and no deaths by side" in text for text in summary.messages)


def test_an_event_that_may_have_had_deaths_stays_with_a_range_from_zero(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event((0, 0, 0, 0), high="4"))
    assert harms_of(tables, "100") == [("unknown", "0", "0", "4")]
    assert [channel for channel, _ in named(tables, "100")] == ["dyad", "dyad"]
    assert any("1 event with a best estimate of no deaths" in text for text in summary.messages)


def test_an_event_without_deaths_is_left_out_and_said(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event((0, 0, 0, 0)), event())
    assert tables["incidents"]["incident_id"].tolist() == ["101"]
    assert summary.n_events_deathless == 1
    assert any("1 event without deaths" in text for text in summary.messages)


counts = st.integers(0, 10**6)


@given(st.lists(st.tuples(counts, counts, counts, counts, counts), min_size=1, max_size=6))
def test_spreading_neither_makes_nor_loses_anyone(rows: list[tuple[int, ...]]) -> None:
    table = np.array(rows, dtype=np.int64)
    total, parts = table[:, 0], table[:, 1:]
    shares = spread(total, parts)
    assert (shares.sum(axis=1) == total).all()
    assert (shares >= 0).all()
    assert (shares[(parts == 0) & (parts.sum(axis=1, keepdims=True) > 0)] == 0).all()
    within = spread(np.minimum(total, parts.sum(axis=1)), parts)
    assert (within <= np.where(parts.sum(axis=1, keepdims=True) > 0, parts, 0)).all()


# What is taken -----------------------------------------------------------------------------------------------


def test_an_event_dated_to_a_month_is_left_out_unless_asked_for_and_said(tmp_path: Path) -> None:
    file = write_ged(tmp_path, event(date_prec="3"), event((0, 0, 0, 881), date_prec="4"), event(date_prec="5"))
    without = import_ged(file, tmp_path / "without")
    assert (without.n_events, without.n_events_coarse, without.n_deaths_coarse) == (1, 2, 882)
    assert any("2 events with 882 deaths" in text and "left out" in text for text in without.messages)
    with_them = import_ged(file, tmp_path / "with", include_coarse_dates=True)
    assert (with_them.n_events, with_them.n_deaths) == (3, 883)
    assert any("taken as asked" in text for text in with_them.messages)


def test_both_days_of_the_window_count_and_an_event_belongs_to_its_first_day(tmp_path: Path) -> None:
    days = ("2007-12-31", "2008-01-01", "2008-12-31", "2009-01-01")
    events = [event(date_start=day, date_end="2009-01-02") for day in days]
    summary = import_ged(write_ged(tmp_path, *events), tmp_path / "out", start=date(2008, 1, 1), end=date(2008, 12, 31))
    assert read_tables(tmp_path / "out")["incidents"]["incident_id"].tolist() == ["101", "102"]
    assert any("ended later" in text for text in summary.messages)


def test_without_dates_the_window_is_that_of_the_data(tmp_path: Path) -> None:
    run(tmp_path, event(), event(date_start="2006-02-03", date_end="2010-07-08"))
    window = tomllib.loads((tmp_path / "out" / "methodology.toml").read_text(encoding="utf-8"))["window"]
    assert window == {"announced": date(2006, 2, 3), "start": date(2006, 2, 3), "end": date(2010, 7, 8)}


def test_the_baseline_reaches_back_before_the_window(tmp_path: Path) -> None:
    file = write_ged(tmp_path, event(), event(date_start="2007-02-03"), event(date_start="2005-02-03"))
    summary = import_ged(file, tmp_path / "out", start=date(2008, 1, 1), baseline_start=date(2007, 1, 1))
    methodology = tomllib.loads((tmp_path / "out" / "methodology.toml").read_text(encoding="utf-8"))
    assert methodology["window"]["baseline_start"] == date(2007, 1, 1)
    assert summary.n_events == 2


@pytest.mark.parametrize(
    "dates",
    [
        {"start": date(2008, 1, 2), "end": date(2008, 1, 1)},
        {"baseline_start": date(2008, 1, 1)},
        {"start": date(2008, 1, 1), "baseline_start": date(2008, 1, 1)},
    ],
)
def test_dates_that_make_no_window_are_refused(tmp_path: Path, dates: dict[str, date]) -> None:
    with pytest.raises(InputError, match="window"):
        import_ged(write_ged(tmp_path, event()), tmp_path / "out", **dates)  # type: ignore[arg-type]


def test_a_country_is_found_in_any_case_and_faults_of_others_do_not_matter(tmp_path: Path) -> None:
    file = write_ged(tmp_path, event(), event(country="Peru", best="?"))
    summary = import_ged(file, tmp_path / "out", country="mexico")
    assert (summary.n_events_read, summary.n_events_selected, summary.n_events) == (2, 1, 1)


def test_a_country_that_is_not_there_is_refused_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no event has this country; near ones: Mexico"):
        import_ged(write_ged(tmp_path, event(), event(country="Peru")), tmp_path / "out", country="Mexiko")


def test_no_event_left_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of 1 events is left"):
        import_ged(write_ged(tmp_path, event()), tmp_path / "out", start=date(2020, 1, 1))
    assert not (tmp_path / "out").exists()


def test_regions_of_one_name_in_two_countries_stay_apart(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event(adm_1="Central"), event(adm_1=" Central ", country="Peru"), event(adm_1=""))
    assert tables["incidents"]["region"].tolist() == ["Mexico: Central", "Peru: Central", "Mexico: unknown"]


def test_regions_of_one_country_keep_their_name_and_an_empty_one_is_unknown(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event(), event(adm_1=""))
    assert tables["incidents"]["region"].tolist() == ["Chihuahua state", "unknown"]


# Forms of the file -------------------------------------------------------------------------------------------


def test_old_column_names_and_times_of_day_are_read(tmp_path: Path) -> None:
    old = {"best": "best_est", "low": "low_est", "high": "high_est"}
    row = event((0, 0, 0, 3), low="2", high="5", date_start="2008-05-01 00:00:00.000", date_end="2008-05-02T00:00:00")
    file = write_ged(
        tmp_path,
        {old.get(name, name): text for name, text in row.items()},
        columns=[old.get(name, name) for name in COLUMNS],
    )
    import_ged(file, tmp_path / "out")
    tables = read_tables(tmp_path / "out")
    assert harms_of(tables, "100") == [("unknown", "3", "2", "5")]
    assert tables["incidents"][["date_start", "date_end"]].to_numpy().tolist() == [["2008-05-01", "2008-05-02"]]


def test_only_the_columns_used_are_needed_and_all_missing_are_listed(tmp_path: Path) -> None:
    file = write_ged(tmp_path, event(), columns=[name for name in COLUMNS if name not in ("country", "relid", "year")])
    assert import_ged(file, tmp_path / "out").n_events == 1
    with pytest.raises(InputError) as caught:
        import_ged(file, tmp_path / "other", country="Mexico")
    assert [fault.column for fault in caught.value.faults] == ["country"]
    bare = write_ged(tmp_path, event(), columns=["id", "side_a", "best", "low"])
    with pytest.raises(InputError) as caught:
        import_ged(bare, tmp_path / "other")
    columns = [fault.column for fault in caught.value.faults]
    assert columns == [
        *("type_of_violence", "side_b", "adm_1", "date_prec", "date_start", "date_end"),
        *("deaths_a", "deaths_b", "deaths_civilians", "deaths_unknown", "high"),
    ]


def test_a_bom_capitals_in_the_header_and_blank_lines_are_read_not_refused(tmp_path: Path) -> None:
    file = write_ged(tmp_path, event(), event())
    text = file.read_text(encoding="utf-8").replace("side_a,", "Side_A ,", 1)
    file.write_text("\ufeff" + text.replace("\n101,", "\n\n101,") + "\n\n", encoding="utf-8")
    assert import_ged(file, tmp_path / "out").n_events == 2


def test_faults_name_the_line_of_the_file_even_after_fields_with_line_breaks(tmp_path: Path) -> None:
    faults = faults_of(
        tmp_path,
        event(source_article='one\ntwo, "quoted"\nthree'),
        event(deaths_a="-1", date_prec="6", type_of_violence="war"),
        event(date_start="2008-13-01", side_b=""),
        event(date_end="2008-04-30", best="1.5", low="", high="nan"),
    )
    assert faults == [
        "ged.csv row 5, date_prec: '6': is one of 1, 2, 3, 4, 5.",
        "ged.csv row 5, deaths_a: '-1': is a whole number of persons from 0 to 2,500,000.",
        "ged.csv row 5, type_of_violence: 'war': is one of 1, 2, 3.",
        (
            "ged.csv row 6, date_start: '2008-13-01': is not a date of our time "
            "(ISO 8601: YYYY-MM-DD, a time of day may follow)."
        ),
        "ged.csv row 6, side_b: '': names an actor, or several with ', ' between them and none empty.",
        "ged.csv row 7, best: '1.5': is a whole number of persons from 0 to 2,500,000.",
        "ged.csv row 7, date_end: '2008-04-30': lies before date_start.",
        "ged.csv row 7, high: 'nan': is a whole number of persons from 0 to 2,500,000.",
        "ged.csv row 7, low: '': is a whole number of persons from 0 to 2,500,000.",
    ]


def test_ids_that_are_missing_doubled_or_blank_are_faults(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, event(id="7"), event(id="7"), event(id=""), event(id="8 9"))
    assert faults == [
        "ged.csv row 2, id: '7': the id stands twice.",
        "ged.csv row 3, id: '7': the id stands twice.",
        "ged.csv row 4, id: '': an event needs an id.",
        "ged.csv row 5, id: '8 9': an id has no blanks.",
    ]


@pytest.mark.parametrize("side", ["A, , B", ", A", "A, ", "  "])
def test_an_alliance_with_an_empty_place_is_a_fault(tmp_path: Path, side: str) -> None:
    assert "names an actor" in faults_of(tmp_path, event(side_a=side))[0]


@pytest.mark.parametrize("text", ["Los\u202eZetas", "Los\x00Zetas", "Los\u200bZetas", "Los\x1b[31mZetas"])
def test_a_name_with_characters_that_do_not_show_is_a_fault(tmp_path: Path, text: str) -> None:
    (fault,) = faults_of(tmp_path, event(side_a=text))
    assert "row 2, side_a" in fault
    assert "invisible" in fault


def test_names_and_counts_beyond_reason_are_faults(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, event(side_a="A" * 1_001), event(best="2500001"))
    assert ["longer than 1,000 characters" in faults[0], "row 3, best" in faults[1]] == [True, True]


def test_line_breaks_and_runs_of_blanks_in_names_are_put_right_and_said(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event(side_a="Juarez\n  Cartel"), event(adm_1="Chihuahua\tstate"))
    assert tables["organizations"]["name"].tolist() == ["Juarez Cartel", "Sinaloa Cartel"]
    assert any("In 2 values" in text for text in summary.messages)


def test_accents_written_apart_are_the_same_organization(tmp_path: Path) -> None:
    _, tables = run(tmp_path, event(side_a="Beltrán Leyva"), event(side_a="Beltra\u0301n Leyva"))
    assert tables["organizations"]["name"].tolist() == ["Beltrán Leyva", "Sinaloa Cartel"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04\x14\x00\xff\xfe", "is not UTF-8 text"),
        ("id,side_a\n1,Beltr\u00e1n".encode("latin-1"), "is not UTF-8 text"),
        (b"id,best,best\n1,2,3\n", "required column is missing"),
        (",".join(COLUMNS).encode() + b"\n", "holds no events"),
        (",".join([*COLUMNS, "side_a"]).encode() + b"\n1\n", "side_a: the column stands twice"),
        (",".join(COLUMNS).encode() + b'\n1,"never closed\n', "is not a CSV table"),
    ],
)
def test_what_is_no_ged_file_is_refused(tmp_path: Path, content: bytes, rule: str) -> None:
    file = tmp_path / "ged.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=rule):
        import_ged(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        import_ged(tmp_path / "absent.csv", tmp_path / "out")


def test_a_field_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    summary, _ = run(tmp_path, event(source_article="x" * 10_000_000))
    assert summary.n_events == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_imported_whole_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    file = write_ged(tmp_path, event(), event((1, 0, 2, 0), type_of_violence="3", side_b="Civilians"))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    file.write_bytes(content)
    out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    try:
        import_ged(file, out)
    except InputError:
        assert not out.exists()
    else:
        assert (out / "methodology.toml").exists()


# Ids, and the folder -----------------------------------------------------------------------------------------


def test_ids_do_not_depend_on_the_order_of_names_and_never_collide() -> None:
    names = ["Los Zetas", "Los-Zetas", "other", "Фронт", "Beltrán Leyva Cartel"]
    ids, twins = build_slugs(names)
    assert ids == build_slugs(reversed(names))[0]
    assert len(set(ids.values())) == len(names)
    assert ids["Beltrán Leyva Cartel"] == "beltran-leyva-cartel"
    assert ids["other"] != "other"
    assert ids["Фронт"].startswith("organization-")
    assert twins == ("Los Zetas", "Los-Zetas")


def test_names_that_nearly_agree_stay_apart_and_are_said(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event(side_a="Los Zetas", side_b="Los-Zetas"))
    assert tables["organizations"]["organization_id"].nunique() == 2
    assert any("Los Zetas; Los-Zetas" in text for text in summary.messages)


def test_names_that_differ_in_case_only_are_one_organization_and_it_is_said(tmp_path: Path) -> None:
    summary, tables = run(tmp_path, event(side_a="LOS ZETAS, Los Zetas"), event(side_a="los zetas", side_b="EPR"))
    assert tables["organizations"]["organization_id"].tolist() == ["epr", "los-zetas", "sinaloa-cartel"]
    assert [name for _, name in named(tables, "100")] == ["los-zetas", "sinaloa-cartel"]
    assert any("Los Zetas; los zetas" in text for text in summary.messages)


def test_events_of_governments_alone_are_refused(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, event(side_a="Government of Peru", side_b="Government of Ecuador"))
    assert "names an organization that can be ranked" in fault


def test_what_is_written_is_an_assessment(tmp_path: Path) -> None:
    events = [
        event((1, 2, 3, 4), side_a="Los Zetas, Other", side_b="Los-Zetas, LOS ZETAS", low="7", high="23"),
        event(side_a="Government of Mexico", type_of_violence="1", adm_1=""),
        event((0, 0, 2, 1), type_of_violence="3", side_b="Civilians"),
        event(side_b="XXX1", country="Peru"),
    ]
    summary, tables = run(tmp_path, *events)
    assessment = read_assessment(tmp_path / "out")
    assert assessment.messages == ()
    assert len(assessment.incidents) == summary.n_incidents == len(tables["incidents"])
    assert assessment.harms["best"].sum() == summary.n_deaths == 15
    assert assessment.evidence["piece"].nunique() == tables["evidence"]["incident_id"].nunique()
    assert assessment.methodology.id == "ucdp-ged-dyads"


def test_a_folder_in_use_is_not_touched(tmp_path: Path) -> None:
    file = write_ged(tmp_path, event())
    import_ged(file, tmp_path / "out")
    before = sorted(path.read_bytes() for path in (tmp_path / "out").iterdir())
    with pytest.raises(InputError, match="not an empty folder"):
        import_ged(file, tmp_path / "out")
    assert sorted(path.read_bytes() for path in (tmp_path / "out").iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ged.csv", "out"]


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    file = write_ged(tmp_path, event())
    with pytest.raises(InputError, match=r"cannot be written"):
        import_ged(file, file / "out")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    run(tmp_path, event())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("methodology.toml", "datapackage.json"),
        *("organizations.csv", "incidents.csv", "harms.csv", "evidence.csv"),
    }


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("GEDEvent_v23_1.csv", "23.1"),
        ("ged191.csv", "19.1"),
        ("GEDEvent_v24_0_3.csv", "24.0.3"),
        ("ged_mexico_2010.csv", "not stated"),
    ],
)
def test_the_data_package_names_source_licence_and_version(tmp_path: Path, name: str, version: str) -> None:
    summary = import_ged(write_ged(tmp_path, event(), name=name), tmp_path / "out")
    package = json.loads((tmp_path / "out" / "datapackage.json").read_text(encoding="utf-8"))
    assert summary.version == package["sources"][0]["version"] == version
    assert package["licenses"][0]["name"] == "CC-BY-4.0"
    assert "Uppsala Conflict Data Program" in package["citation"]
    tables = read_tables(tmp_path / "out")
    assert {
        resource["name"]: [field["name"] for field in resource["schema"]["fields"]] for resource in package["resources"]
    } == {table: list(rows.columns) for table, rows in tables.items()}


def test_a_country_with_quotes_in_its_name_leaves_a_methodology_that_can_be_read(tmp_path: Path) -> None:
    run(tmp_path, event(country='Côte "d\\Ivoire'))
    text = (tmp_path / "out" / "methodology.toml").read_text(encoding="utf-8")
    assert 'Côte "d\\Ivoire' in tomllib.loads(text)["title"]


# The real file -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.exists(), reason="the UCDP GED slice for Mexico is not part of this repository")
def test_mexico_2006_to_2011_keeps_every_death_and_invents_no_killer(tmp_path: Path) -> None:
    out = tmp_path / "mexico"
    summary = import_ged(REAL, out, start=date(2006, 1, 1), end=date(2011, 12, 31), country="Mexico")
    assert (summary.n_events_read, summary.n_events_selected, summary.n_events) == (18_957, 4_835, 4_725)
    assert (summary.n_events_coarse, summary.n_deaths_coarse) == (110, 13_891)
    assert (summary.n_events_deathless, summary.n_incidents) == (0, 4_729)
    tables = read_tables(out)
    raw = pd.read_csv(REAL)
    kept = raw[raw["date_start"].between("2006-01-01", "2011-12-31") & (raw["date_prec"] < 4)]
    assert summary.n_deaths == tables["harms"]["best"].astype(int).sum() == kept["best"].sum()
    assert tables["harms"]["high"].astype(int).sum() == kept[["best", "high"]].max(axis=1).sum()
    assert tables["harms"]["low"].astype(int).sum() == kept[["best", "low"]].min(axis=1).sum()
    assert summary.n_deaths_named / summary.n_deaths == pytest.approx(0.054, abs=0.001)
    assessment = read_assessment(out)
    assert (len(assessment.incidents), assessment.harms["best"].sum()) == (4_729, 9_354)


@pytest.mark.skipif(not REAL.exists(), reason="the UCDP GED slice for Mexico is not part of this repository")
def test_all_of_the_mexican_slice_names_a_killer_for_about_two_deaths_in_a_hundred(tmp_path: Path) -> None:
    summary = import_ged(REAL, tmp_path / "mexico", country="Mexico", include_coarse_dates=True)
    assert (summary.n_events, summary.n_deaths) == (18_957, 140_695)
    assert summary.n_deaths_named / summary.n_deaths == pytest.approx(0.0184, abs=0.0001)
