"""Every fault is found, and says table, row, column, value and rule."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from strategies import METHODOLOGY, TABLES, write_assessment

from violencescore.assessment import read_assessment
from violencescore.errors import Fault, InputError


def faults_of(folder: Path) -> tuple[Fault, ...]:
    with pytest.raises(InputError) as caught:
        read_assessment(folder)
    return caught.value.faults


def changed(table: str, old: str, new: str) -> dict[str, str]:
    assert TABLES[table].count(old) == 1
    return {table: TABLES[table].replace(old, new)}


def added(table: str, line: str) -> dict[str, str]:
    return {table: TABLES[table] + line + "\n"}


CELLS = {
    "a duplicate incident id": (added("incidents", "i1,2026-07-02,south"), 6, "incident_id", "i1", "unique"),
    "a missing incident id": (added("incidents", ",2026-07-02,south"), 6, "incident_id", "", "is empty"),
    "a duplicate organization id": (added("organizations", "007,Eight,,,,,"), 5, "organization_id", "007", "unique"),
    "a missing organization id": (added("organizations", ",Eight,,,,,"), 5, "organization_id", "", "is empty"),
    "a missing name": (added("organizations", "8,,,,,,"), 5, "name", "", "is empty"),
    "a missing region": (added("incidents", "i5,2026-07-02,"), 6, "region", "", "is empty"),
    "an unknown organization in evidence": (
        added("evidence", "i1,press,Nobody,,"), 8, "organization_id", "Nobody", "not an organization"),
    "an unknown organization in adjudications": (
        added("adjudications", "i3,Nobody,,,"), 4, "organization_id", "Nobody", "not an organization"),
    "an unknown framed organization": (
        added("adjudications", "i3,007,true,Nobody,"), 4, "framed_id", "Nobody", "not an organization"),
    "an unknown organization in revenue": (
        added("revenue", "Nobody,study,1,,,,,MUSD"), 4, "organization_id", "Nobody", "not an organization"),
    "revenue of everyone else": (
        added("revenue", "other,study,1,,,,,MUSD"), 4, "organization_id", "other", "not an organization"),
    "an unknown parent": (added("organizations", "8,Eight,,Nobody,,,"), 5, "parent_id", "Nobody", "not an organization"),
    "a circle of parents": (changed("organizations", "crew,Harbour Crew,,NA", "crew,Harbour Crew,,crew"),
                            4, "parent_id", "crew", "circle"),
    "an organization that ends before it begins": (
        added("organizations", "8,Eight,,,2020-01-02,2020-01-01,"), 5, "active_to", "2020-01-01", "before active_from"),
    "a rankable that is neither": (added("organizations", "8,Eight,,,,,perhaps"), 5, "rankable", "perhaps", "true nor"),
    "a month that does not exist": (
        added("incidents", "i5,2026-13-02,north"), 6, "date", "2026-13-02", "is not a date (ISO 8601: YYYY-MM-DD)"),
    "a day that does not exist": (added("incidents", "i5,2026-02-30,north"), 6, "date", "2026-02-30", "not a date"),
    "a date in another order": (added("incidents", "i5,02/07/2026,north"), 6, "date", "02/07/2026", "not a date"),
    "a missing date": (added("incidents", "i5,,north"), 6, "date", "", "is empty"),
    "a negative count": (added("harms", "i1,terror,,-1,,"), 7, "best", "-1", "negative"),
    "a count that is not whole": (added("harms", "i1,terror,,1.5,,"), 7, "best", "1.5", "whole number"),
    "a count that is no number": (added("harms", "i1,terror,,many,,"), 7, "best", "many", "whole number"),
    "an infinite count": (added("harms", "i1,terror,,inf,,"), 7, "best", "inf", "whole number"),
    "an absurdly large count": (added("harms", "i1,terror,,10000001,,"), 7, "best", "10000001", "above 10,000,000"),
    "a count of five hundred digits": (
        added("harms", f"i1,terror,,{'9' * 150},,"), 7, "best", "9" * 150, "above 10,000,000"),
    "a missing count": (added("harms", "i1,terror,,,1,2"), 7, "best", "", "is empty"),
    "a low above best": (added("harms", "i1,terror,,3,4,5"), 7, "low", "4", "above best (3)"),
    "a high below best": (added("harms", "i1,terror,,3,1,2"), 7, "high", "2", "below best (3)"),
    "an unknown element": (added("harms", "i1,murder,,1,,"), 7, "element", "murder", "elements of the methodology"),
    "an unknown victim role": (added("harms", "i1,terror,nun,1,,"), 7, "victim_role", "nun", "victim roles"),
    "harm of an unknown incident": (added("harms", "i9,terror,,1,,"), 7, "incident_id", "i9", "not an incident"),
    "the same harm twice": (added("harms", "i1,killing,police,1,,"), 7, "element", "killing", "repeats"),
    "an unknown channel": (added("evidence", "i1,rumour,007,,"), 8, "channel", "rumour", "channels of the methodology"),
    "evidence on an unknown incident": (added("evidence", "i9,press,007,,"), 8, "incident_id", "i9", "not an incident"),
    "two organizations in one piece of evidence": (
        added("evidence", "i1,claim,NA,banner-1,"), 8, "organization_id", "NA", "second organization"),
    "everyone else as a second organization": (
        added("evidence", "i1,claim,other,banner-1,"), 8, "organization_id", "other", "second organization"),
    "adjudication of an unknown incident": (
        added("adjudications", "i9,007,,,"), 4, "incident_id", "i9", "not an incident"),
    "an incident adjudicated twice": (added("adjudications", "i1,007,,,"), 4, "incident_id", "i1", "unique"),
    "a false flag that is neither": (added("adjudications", "i3,007,maybe,,"), 4, "false_flag", "maybe", "true nor"),
    "framing oneself": (added("adjudications", "i3,007,true,Los Siete,"), 4, "framed_id", "Los Siete", "perpetrator"),
    "framing without a false flag": (
        added("adjudications", "i3,007,false,NA,"), 4, "framed_id", "NA", "false_flag is false"),
    "a certain exclusion": (added("adjudications", "i3,007,,,0"), 4, "inclusion_probability", "0", "outside (0, 1]"),
    "a probability above one": (
        added("adjudications", "i3,007,,,1.01"), 4, "inclusion_probability", "1.01", "outside (0, 1]"),
    "a probability that is none": (
        added("adjudications", "i3,007,,,nan"), 4, "inclusion_probability", "nan", "finite"),
    "a report of an unknown incident": (added("reports", "i9,paper"), 5, "incident_id", "i9", "not an incident"),
    "a report without a source": (added("reports", "i3,"), 5, "source_id", "", "is empty"),
    "revenue of zero": (added("revenue", "NA,study,0,,,,,MUSD"), 4, "best", "0", "not above 0"),
    "infinite revenue": (added("revenue", "NA,study,1e999,,,,,MUSD"), 4, "best", "1e999", "finite"),
    "a low revenue above best": (added("revenue", "NA,study,3,4,5,,,MUSD"), 4, "low", "4", "above best (3)"),
    "two units": (added("revenue", "NA,study,3,,,,,kg"), 4, "unit", "kg", "MUSD"),
    "an unknown kind of revenue": (added("revenue", "NA,study,3,,,,gold,MUSD"), 4, "kind", "gold", "revenue nor flow"),
    "a year in words": (added("revenue", "NA,study,3,,,last,,MUSD"), 4, "year", "last", "four digits"),
    "a negative weight": (added("panel_weights", "ben,terror,,-1"), 5, "weight", "-1", "negative"),
    "a weight that is not a number": (added("panel_weights", "ben,terror,,nan"), 5, "weight", "nan", "finite"),
    "an infinite weight": (added("panel_weights", "ben,terror,,inf"), 5, "weight", "inf", "finite"),
    "a weight given twice": (added("panel_weights", "ben,killing,police,2"), 5, "element", "killing", "repeats"),
    "a panelist without any weight": (added("panel_weights", "carl,terror,,0"), 5, "panelist_id", "carl", "weight 0"),
    "a name with a control character": (
        added("organizations", "8,Ei\x1b[31mght,,,,,"), 5, "name", "Ei\x1b[31mght", "control character"),
    "a name that reverses text": (
        added("organizations", "8,Ei\u202eght,,,,,"), 5, "name", "Ei\u202eght", "reverses text"),
    "a second header": (added("incidents", "incident_id,date,region"), 6, "incident_id", "incident_id", "header"),
    "a row with a cell too many": (added("incidents", "i5,2026-07-02,a,b"), 6, None, "i5,2026-07-02,a,b", "4 cells"),
    "a row with a cell too few": (added("incidents", "i5,2026-07-02"), 6, None, "i5,2026-07-02", "2 cells"),
    "a cell of ten megabytes": (added("reports", "i3," + "x" * 10_000_000), 5, "source_id", "x" * 200, "100,000 characters"),
    "a cell of thirty megabytes": (
        added("reports", "i3," + "x" * 30_000_000), 5, "source_id", "x" * 200, "100,000 characters"),
    "a cell just too long": (added("reports", "i3," + "x" * 100_001), 5, "source_id", "x" * 200, "100,000 characters"),
    "a quoted cell of ten megabytes": (
        added("reports", 'i3,"' + "x" * 10_000_000 + '"'), 5, None, None, "100,000 characters"),
    "a quote that is never closed": (added("incidents", 'i5,"2026-07-02,north'), 6, None, None, "never closed"),
    "the reserved id": (added("organizations", "other,Rest,,,,,"), 5, "organization_id", "other", "reserved"),
    "the reserved id as an alias": (added("organizations", "8,Eight,Other;Huit,,,,"), 5, "aliases", "Other;Huit", "reserved"),
    "the id of a column": (added("organizations", "false_flag,F,,,,,"), 5, "organization_id", "false_flag", "reserved"),
    "a name that is another's id": (added("organizations", "8,CREW ,,,,,"), 5, "name", "CREW ", "also stands for crew"),
}  # fmt: skip


@pytest.mark.parametrize(("tables", "row", "column", "value", "rule"), CELLS.values(), ids=CELLS)
def test_a_broken_rule_names_table_row_column_value_and_rule(
    tmp_path: Path, tables: dict[str, str], row: int, column: str | None, value: str | None, rule: str
) -> None:
    [fault] = faults_of(write_assessment(tmp_path, **tables))
    assert fault.table == f"{next(iter(tables))}.csv"
    assert (fault.row, fault.column, fault.value) == (row, column, value)
    assert rule in fault.rule


@pytest.mark.parametrize("alias", ["The Seven", "the seven ", "LOS SIETE", "Seven", "Norten\u0303os"])
def test_an_alias_of_two_organizations_is_a_fault_in_both_rows(tmp_path: Path, alias: str) -> None:
    faults = faults_of(write_assessment(tmp_path, **added("organizations", f"8,Eight,{alias},,,,")))
    assert {fault.table for fault in faults} == {"organizations.csv"}
    rows = {fault.row for fault in faults}
    assert rows == ({3, 5} if alias.startswith("Norte") else {2, 5})
    assert all("also stands for" in fault.rule for fault in faults)


def test_an_ambiguous_alias_is_not_reported_again_where_it_is_used(tmp_path: Path) -> None:
    faults = faults_of(write_assessment(tmp_path, **added("organizations", "8,Eight,Los Siete,,,,")))
    assert {fault.table for fault in faults} == {"organizations.csv"}


def test_all_faults_of_all_tables_and_of_the_methodology_come_at_once(tmp_path: Path) -> None:
    folder = write_assessment(
        tmp_path,
        methodology=METHODOLOGY.replace("[window]", "[decision]\nconfidence = 3\n[window]"),
        **added("organizations", "other,Rest,,,,,"),
        **added("incidents", "i1,2026-13-02,"),
        **added("harms", "i9,killing,,-1,,"),
        evidence=b"\xff\xfe",
        **added("revenue", "Nobody,,nan,,,,,"),
    )
    faults = faults_of(folder)
    assert [(f.table, f.row, f.column) for f in faults] == [
        ("methodology.toml", None, "decision.confidence"),
        ("organizations.csv", 5, "organization_id"),
        ("incidents.csv", 6, "incident_id"),
        ("incidents.csv", 6, "date"),
        ("incidents.csv", 6, "region"),
        ("harms.csv", 7, "best"),
        ("harms.csv", 7, "incident_id"),
        ("evidence.csv", 1, None),
        ("revenue.csv", 4, "source_id"),
        ("revenue.csv", 4, "best"),
        ("revenue.csv", 4, "organization_id"),
        ("revenue.csv", 4, "unit"),
    ]


def test_two_faults_in_one_column_are_both_listed(tmp_path: Path) -> None:
    tables = {"harms": TABLES["harms"] + "i1,terror,,-1,,\ni2,terror,,-2,,\n"}
    assert [(f.row, f.value) for f in faults_of(write_assessment(tmp_path, **tables))] == [
        (7, "-1"),
        (8, "-2"),
    ]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n \n"])
def test_an_empty_file_is_a_fault(tmp_path: Path, table: str, content: bytes) -> None:
    faults = faults_of(write_assessment(tmp_path, **{table: content}))
    assert [(f.table, f.row) for f in faults if f.table == f"{table}.csv"] == [(f"{table}.csv", None)]
    assert "is empty" in faults[0].rule


@pytest.mark.parametrize("table", ["organizations", "incidents", "harms"])
def test_a_required_table_of_a_header_alone_is_a_fault(tmp_path: Path, table: str) -> None:
    header = TABLES[table].split("\n", 1)[0] + "\n"
    faults = faults_of(write_assessment(tmp_path, **{table: header}))
    assert "has a header and no rows" in next(f.rule for f in faults if f.table == f"{table}.csv")


@pytest.mark.parametrize("table", ["organizations", "incidents", "harms"])
def test_a_missing_required_table_is_a_fault(tmp_path: Path, table: str) -> None:
    [fault] = faults_of(write_assessment(tmp_path, **{table: None}))
    assert (fault.table, fault.row) == (f"{table}.csv", None)
    assert "is missing" in fault.rule


REQUIRED = [
    ("organizations", "organization_id"), ("organizations", "name"), ("incidents", "incident_id"), ("incidents", "date"),
    ("incidents", "region"), ("harms", "incident_id"), ("harms", "element"), ("harms", "best"), ("evidence", "incident_id"),
    ("evidence", "channel"), ("evidence", "organization_id"), ("adjudications", "incident_id"),
    ("adjudications", "organization_id"), ("reports", "incident_id"), ("reports", "source_id"),
    ("revenue", "organization_id"), ("revenue", "source_id"), ("revenue", "best"), ("panel_weights", "panelist_id"),
    ("panel_weights", "element"), ("panel_weights", "weight"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column"), REQUIRED)
def test_a_missing_required_column_is_the_only_fault(tmp_path: Path, table: str, column: str) -> None:
    head, rows = TABLES[table].split("\n", 1)
    head = ",".join("something" if name == column else name for name in head.split(","))
    [fault] = faults_of(write_assessment(tmp_path, **{table: f"{head}\n{rows}"}))
    assert (fault.table, fault.row, fault.column) == (f"{table}.csv", None, column)
    assert "the column is missing" in fault.rule


def test_bytes_that_are_not_utf8_are_named_by_line_and_byte(tmp_path: Path) -> None:
    content = TABLES["organizations"].encode("latin-1")
    [fault] = faults_of(write_assessment(tmp_path, organizations=content))
    assert (fault.table, fault.row, fault.value) == ("organizations.csv", 3, repr(b"\xf1"))
    assert f"byte {content.index(b'\xf1')}" in fault.rule


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_other_unicode_encodings_are_a_fault(tmp_path: Path, encoding: str) -> None:
    [fault] = faults_of(write_assessment(tmp_path, reports=TABLES["reports"].encode(encoding)))
    assert (fault.table, fault.row) == ("reports.csv", 1)
    assert "UTF-8" in fault.rule


def test_a_nul_byte_is_named_by_line(tmp_path: Path) -> None:
    [fault] = faults_of(write_assessment(tmp_path, reports=TABLES["reports"] + "i3,pa\0per\n"))
    assert (fault.table, fault.row, fault.value) == ("reports.csv", 5, "\\x00")


def test_two_columns_of_one_name_are_a_fault(tmp_path: Path) -> None:
    [fault] = faults_of(write_assessment(tmp_path, reports="incident_id,source_id,source_id\ni1,a,b\n"))
    assert (fault.table, fault.row, fault.column) == ("reports.csv", 1, "source_id")


def test_semicolons_instead_of_commas_are_said_to_be_the_fault(tmp_path: Path) -> None:
    [fault] = faults_of(write_assessment(tmp_path, reports=TABLES["reports"].replace(",", ";")))
    assert (fault.table, fault.row) == ("reports.csv", 1)
    assert "commas" in fault.rule


def test_a_header_that_is_missing_leaves_the_columns_missing(tmp_path: Path) -> None:
    faults = faults_of(write_assessment(tmp_path, reports="i1,paper\n"))
    assert [(f.table, f.column) for f in faults] == [
        ("reports.csv", "incident_id"),
        ("reports.csv", "source_id"),
    ]


def test_rows_are_counted_by_the_lines_of_the_file(tmp_path: Path) -> None:
    reports = 'incident_id,source_id,note\r\n\r\ni1,paper,"two\r\nlines"\r\ni9,paper,\r\n\r\ni8,paper,\r\n'
    faults = faults_of(write_assessment(tmp_path, reports=reports))
    assert [(f.row, f.value) for f in faults] == [(5, "i9"), (7, "i8")]


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        ("i5,2026-07-02,2026-07-02,,north", "date_start", "both given"),
        ("i5,2026-07-02,,2026-07-02,north", "date_end", "both given"),
        ("i5,,2026-07-02,2026-07-01,north", "date_end", "before date_start"),
        ("i5,,,2026-07-01,north", "date", "is empty"),
        ("i5,,2026-02-29,,north", "date_start", "not a date"),
    ],
)
def test_an_incident_has_one_date_or_a_start_and_an_end(tmp_path: Path, row: str, column: str, rule: str) -> None:
    incidents = (
        "incident_id,date,date_start,date_end,region\ni1,2026-07-01,,,a\ni2,,2026-07-01,2026-07-03,a\n"
        f"i3,,2026-07-01,,a\ni4,2026-07-01,,,a\n{row}\n"
    )
    [fault] = faults_of(write_assessment(tmp_path, incidents=incidents))
    assert (fault.table, fault.row, fault.column) == ("incidents.csv", 6, column)
    assert rule in fault.rule


def test_a_circle_of_two_parents_is_reported_at_both(tmp_path: Path) -> None:
    tables = {"organizations": "organization_id,name,parent_id\n007,A,NA\nNA,B,A\ncrew,C,007\n"}
    minimal = {"evidence": None, "adjudications": None, "revenue": None}
    faults = faults_of(write_assessment(tmp_path, **tables, **minimal))
    assert [(f.row, f.column) for f in faults] == [(2, "parent_id"), (3, "parent_id")]


def test_nobody_to_rank_is_a_fault(tmp_path: Path) -> None:
    tables = {"organizations": "organization_id,name,rankable\n007,Seven,false\nNA,Norteños,false\ncrew,C,FALSE\n"}
    minimal = {"evidence": None, "adjudications": None, "revenue": None}
    [fault] = faults_of(write_assessment(tmp_path, **tables, **minimal))
    assert (fault.table, fault.row, fault.column) == ("organizations.csv", None, "rankable")


def test_a_table_as_csv_and_parquet_is_a_fault(tmp_path: Path) -> None:
    folder = write_assessment(tmp_path)
    pd.DataFrame({"incident_id": ["i1"], "source_id": ["a"]}).to_parquet(folder / "reports.parquet")
    [fault] = faults_of(folder)
    assert (fault.table, fault.row) == ("reports.csv", None)
    assert "reports.parquet" in fault.rule


def test_a_parquet_row_counts_like_a_line(tmp_path: Path) -> None:
    folder = write_assessment(tmp_path, reports=None)
    pd.DataFrame({"incident_id": ["i1", "i9"], "source_id": ["a", "a"]}).to_parquet(folder / "reports.parquet")
    [fault] = faults_of(folder)
    assert (fault.table, fault.row, fault.value) == ("reports.parquet", 3, "i9")


def test_a_nested_parquet_column_is_a_fault(tmp_path: Path) -> None:
    folder = write_assessment(tmp_path, reports=None)
    pd.DataFrame({"incident_id": ["i1"], "source_id": [["a", "b"]]}).to_parquet(folder / "reports.parquet")
    [fault] = faults_of(folder)
    assert (fault.table, fault.column) == ("reports.parquet", "source_id")
    assert "plain column" in fault.rule


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"incident_id,source_id\n"])
def test_bytes_that_are_not_parquet_are_a_fault(tmp_path: Path, content: bytes) -> None:
    folder = write_assessment(tmp_path, reports=None)
    (folder / "reports.parquet").write_bytes(content)
    [fault] = faults_of(folder)
    assert fault.table == "reports.parquet"


def test_a_table_that_is_a_folder_is_a_fault(tmp_path: Path) -> None:
    folder = write_assessment(tmp_path, reports=None)
    (folder / "reports.csv").mkdir()
    [fault] = faults_of(folder)
    assert (fault.table, "not a file" in fault.rule) == ("reports.csv", True)


def test_a_broken_link_is_a_fault(tmp_path: Path) -> None:
    folder = write_assessment(tmp_path, reports=None)
    (folder / "reports.csv").symlink_to(folder / "nowhere")
    [fault] = faults_of(folder)
    assert (fault.table, "cannot be read" in fault.rule) == ("reports.csv", True)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b'{"a": ' + b"1" * 5_000 + b"}"])
def test_a_data_package_that_is_not_json_is_a_fault(tmp_path: Path, content: bytes) -> None:
    folder = write_assessment(tmp_path)
    (folder / "datapackage.json").write_bytes(content)
    [fault] = faults_of(folder)
    assert fault.table == "datapackage.json"


def test_a_folder_that_does_not_exist_is_a_fault(tmp_path: Path) -> None:
    [fault] = faults_of(tmp_path / "nowhere")
    assert "is not a folder" in fault.rule


def test_a_folder_without_a_methodology_is_a_fault(tmp_path: Path) -> None:
    [fault] = faults_of(write_assessment(tmp_path, methodology=None))
    assert (fault.table, "is missing" in fault.rule) == ("methodology.toml", True)


def test_a_methodology_without_a_window_is_a_fault(tmp_path: Path) -> None:
    [fault] = faults_of(
        write_assessment(
            tmp_path,
            methodology='extends = "kleiman-2011"\n[channels.dyad]\nforgeable=false\ncandidates=true',
        )
    )
    assert (fault.table, fault.column) == ("methodology.toml", "window")


def test_a_panel_that_should_weigh_and_is_absent_is_a_fault(tmp_path: Path) -> None:
    methodology = METHODOLOGY + '[weights]\nuse = "panel"\n'
    [fault] = faults_of(write_assessment(tmp_path, methodology=methodology, panel_weights=None))
    assert fault.table == "panel_weights.csv"


def test_no_incident_in_either_period_is_a_fault(tmp_path: Path) -> None:
    methodology = METHODOLOGY.replace("2026-", "1926-")
    [fault] = faults_of(write_assessment(tmp_path, methodology=methodology))
    assert "check the dates of [window]" in fault.rule


def test_a_rule_broken_in_very_many_rows_is_listed_a_thousand_times_and_counted(tmp_path: Path) -> None:
    rows = "".join(f"n{i},paper\n" for i in range(1500))
    faults = faults_of(write_assessment(tmp_path, reports=f"incident_id,source_id\n{rows}"))
    assert len(faults) == 1000
    assert "500 more rows" in faults[-1].rule
