"""Two runs compared: rows, choices, and what of the change of P(first) each of them caused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from publication_cases import MEANS, METHODOLOGY, PANEL, write_hand_run, write_tables

from violencescore import cli
from violencescore.changes.causes import (
    AFTER,
    BEFORE,
    DATA_ONLY,
    RULES_ONLY,
    build_corner,
    contrast,
    split_change,
    verdict_cause,
)
from violencescore.changes.choices import compare_choices
from violencescore.changes.comparison import compare_runs
from violencescore.changes.rows import KEYS, compare_folders, compare_tables
from violencescore.errors import InputError
from violencescore.methodology import methodology_from_dict, shipped_methodology
from violencescore.report.changes import CAUSES, change_sentences, change_view
from violencescore.runs import Run
from violencescore.schemas import COLUMNS

# Rows.


def table(*rows: str) -> pd.DataFrame:
    columns = ["incident_id", "element", "victim_role", "best"]
    return pd.DataFrame([dict(zip(columns, row.split(","), strict=True)) for row in rows], columns=columns, dtype="str")


def test_rows_are_added_changed_and_withdrawn_by_their_key() -> None:
    found = compare_tables(
        "harms",
        table("i1,killing,police,1", "i2,killing,,2", "i3,killing,,3", "i1,killing,citizen,1"),
        table("i3,killing,,4", "i1,killing,police,1", "i1,killing,citizen,1", "i4,killing,,2"),
    )
    assert found.counts() == {"before": 4, "after": 4, "added": 1, "changed": 1, "withdrawn": 1}
    assert found.added["incident_id"].tolist() == ["i4"]
    assert found.withdrawn["incident_id"].tolist() == ["i2"]
    (cell,) = found.changed.to_dict("records")
    assert cell == {
        "incident_id": "i3", "element": "killing", "victim_role": "", "column": "best", "before": "3", "after": "4",
    }  # fmt: skip
    assert not found.is_same


def test_the_order_of_rows_is_nothing_and_repeated_rows_are_counted() -> None:
    rows = ["i1,killing,,1", "i1,killing,,1", "i2,killing,,2"]
    assert compare_tables("harms", table(*rows), table(*rows[::-1])).is_same
    fewer = compare_tables("harms", table(*rows), table(*rows[1:]))
    assert fewer.counts() == {"before": 3, "after": 2, "added": 0, "changed": 0, "withdrawn": 1}


def test_a_table_that_is_absent_has_no_rows() -> None:
    found = compare_tables("harms", None, table("i1,killing,,1"))
    assert found.counts() == {"before": 0, "after": 1, "added": 1, "changed": 0, "withdrawn": 0}
    assert compare_tables("reports", None, None).is_same


def test_every_table_has_a_key_of_its_columns() -> None:
    assert KEYS.keys() == COLUMNS.keys()
    for name, key in KEYS.items():
        assert set(key) <= COLUMNS[name].keys()


def test_a_piece_of_evidence_that_names_another_organization_is_changed() -> None:
    old = pd.DataFrame({"incident_id": ["i1"], "channel": ["press"], "organization_id": ["a"], "origin": ["o"]})
    (cell,) = compare_tables("evidence", old, old.assign(organization_id="b")).changed.to_dict("records")
    assert (cell["column"], cell["before"], cell["after"]) == ("organization_id", "a", "b")


def test_folders_are_compared_table_by_table(tmp_path: Path) -> None:
    old = write_tables(tmp_path / "old")
    new = Path(shutil.copytree(old, tmp_path / "new"))
    (new / "evidence.csv").write_text(
        (old / "evidence.csv").read_text().replace("CASE-003,press,g0", "CASE-003,press,g1")
    )
    (new / "harms.csv").unlink()
    pd.read_csv(old / "harms.csv", dtype=str).to_parquet(new / "harms.parquet")
    found = compare_folders(old, new)
    assert found["evidence"].n_changed == 1
    assert all(change.is_same for name, change in found.items() if name != "evidence")
    (new / "incidents.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"new/incidents\.csv"):
        compare_folders(old, new)


# Choices.


def changed(**over):
    base = shipped_methodology("kleiman-2011").model_dump(mode="json")
    return methodology_from_dict({**base, **over})


EMPTY = xr.DataTree()


@pytest.mark.parametrize(
    ("over", "reach"),
    [
        ({"title": "Another"}, "words"),
        ({"decision": {"confidence": 0.95}}, "rule"),
        ({"sampling": {"seed": 5}}, "sampling"),
        ({"score": {"estimand": "rate"}}, "score"),
        ({"score": {"per": "revenue"}}, "model"),  # no draws of revenue: it cannot be divided by
        ({"false_flag": {"window": [1.0, 9.0]}}, "model"),
        ({"weights": {"pool": "median"}}, "score"),
    ],
)
def test_what_a_changed_key_reaches(over: dict, reach: str) -> None:
    base = shipped_methodology("kleiman-2011").model_dump(mode="json")
    merged = {key: {**base[key], **value} if isinstance(value, dict) else value for key, value in over.items()}
    found = compare_choices(changed(), changed(**merged), EMPTY, EMPTY)
    assert set(found.keys.values()) == {reach}
    assert found.moves == (reach in ("score", "model"))
    assert found.line == (reach == "rule")


def test_other_weights_reach_the_score_and_other_categories_the_model() -> None:
    base = shipped_methodology("kleiman-2011").model_dump(mode="json")
    heavier = [{**base["category"][0], "weight": 99.0}, *base["category"][1:]]
    assert compare_choices(changed(), changed(category=heavier), EMPTY, EMPTY).scores
    fewer = compare_choices(changed(), changed(category=base["category"][1:]), EMPTY, EMPTY)
    assert fewer.model


# Causes.


def scores(*rows: tuple[float, ...], n: int = 40) -> xr.DataArray:
    """Draws that repeat some rows: (chain, draw, organization), in two chains."""
    values = np.array(rows * n, dtype=float).reshape(2, -1, len(rows[0]))
    ids = ["a", "b", "c"][: len(rows[0])]
    return xr.DataArray(values, dims=("chain", "draw", "organization"), coords={"organization": ids})


FINE = {"converged": True}


def corner(draws: str, *rows: tuple[float, ...], methodology=None):
    return build_corner(draws, scores(*rows), methodology or shipped_methodology("kleiman-2011"), FINE)


def test_the_parts_add_up_to_the_change_and_are_those_of_hand() -> None:
    """P(a first) is 3/4 before, 1/4 after; 1/4 with the new data alone, 1/2 with the new rules alone.

    Data: ((1/4 - 3/4) + (1/4 - 1/2)) / 2 = -3/8; rules: ((1/2 - 3/4) + (1/4 - 1/4)) / 2 = -1/8.
    """
    high, low = (2.0, 1.0), (1.0, 2.0)
    corners = {
        BEFORE: corner("before", high, high, high, low),
        AFTER: corner("after", low, low, low, high),
        DATA_ONLY: corner("after", low, low, high, low),
        RULES_ONLY: corner("before", high, low, high, low),
    }
    found = split_change(corners, data=True, rules=True).set_index("organization_id").loc["a"]
    assert found["change"] == pytest.approx(-0.5)
    assert found["data"] == pytest.approx(-3 / 8)
    assert found["rules"] == pytest.approx(-1 / 8)
    assert found["chance"] == 0
    assert found["data"] + found["rules"] == pytest.approx(found["change"])
    unsplit = split_change({k: corners[k] for k in (BEFORE, AFTER)}, data=True, rules=True)
    assert unsplit["data"].isna().all()


def test_the_error_of_a_change_inside_draws_is_that_of_the_difference() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (2, 500, 2))
    ids = {"organization": ["a", "b"]}
    one = xr.DataArray(noise, dims=("chain", "draw", "organization"), coords=ids)
    methodology = shipped_methodology("kleiman-2011")
    shifted = build_corner("same", one + [0.05, 0.0], methodology, FINE)
    plain = build_corner("same", one, methodology, FINE)
    elsewhere = build_corner("other", one.isel(draw=slice(None, None, -1)) + [0.05, 0.0], methodology, FINE)
    paired, unpaired = (contrast([(1.0, x), (-1.0, plain)], "a") for x in (shifted, elsewhere))
    assert paired[0] == pytest.approx(unpaired[0])
    assert paired[1] < unpaired[1] / 3
    assert unpaired[1] == pytest.approx(np.sqrt(2 * 0.25 / 1000), rel=0.2)
    same = contrast([(1.0, plain), (-1.0, plain)], "a")
    assert same[0] == 0
    assert same[1] > 0


def test_the_error_of_a_change_covers_what_repeated_draws_do() -> None:
    """Independent draws of one posterior: the change is pure chance, and two errors hold it in some 95 of 100."""
    methodology = shipped_methodology("kleiman-2011")
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        pair = [
            build_corner(
                name,
                xr.DataArray(
                    rng.normal([0.5, 0.0], 1, (2, 200, 2)),
                    dims=("chain", "draw", "organization"),
                    coords={"organization": ["a", "b"]},
                ),
                methodology,
                FINE,
            )
            for name in (BEFORE, AFTER)
        ]
        row = split_change(dict(zip((BEFORE, AFTER), pair, strict=True)), data=False, rules=False).iloc[0]
        assert row["chance"] == row["change"]
        inside += abs(row["change"]) <= 2 * row["change_error"]
    assert 180 <= inside <= 200


def test_an_organization_that_is_not_ranked_is_first_with_probability_nothing() -> None:
    corners = {BEFORE: corner("x", (2.0, 1.0)), AFTER: corner("y", (2.0, 1.0, 3.0))}
    found = split_change(corners, data=True, rules=False).set_index("organization_id")
    assert found.loc["c", "change"] == pytest.approx(1.0)
    assert np.isnan(found.loc["c", "before"])


SURE_A, SURE_B, OPEN = ((9.0, 1.0),), ((1.0, 9.0),), ((2.0, 1.0), (1.0, 2.0))


@pytest.mark.parametrize(
    ("by_data", "by_rules", "cause"),
    [(SURE_B, SURE_A, "data"), (SURE_A, SURE_B, "rules"), (SURE_A, SURE_A, "both"), (SURE_B, SURE_B, "either")],
)
def test_the_cause_of_another_verdict_is_what_alone_would_have_changed_it(by_data, by_rules, cause: str) -> None:
    corners = {
        BEFORE: corner("1", *SURE_A), AFTER: corner("2", *SURE_B),
        DATA_ONLY: corner("2", *by_data), RULES_ONLY: corner("1", *by_rules),
    }  # fmt: skip
    assert verdict_cause(corners, data=True, rules=True, line=False) == cause
    two = {key: corners[key] for key in (BEFORE, AFTER)}
    assert verdict_cause(two, data=True, rules=True, line=False) == "unknown"
    assert verdict_cause(two, data=True, rules=False, line=False) == "data"
    assert verdict_cause(two, data=False, rules=True, line=False) == "rules"
    assert verdict_cause(two, data=False, rules=False, line=False) == "unexplained"
    assert verdict_cause({BEFORE: two[BEFORE], AFTER: two[BEFORE]}, data=True, rules=True, line=False) == "none"


def test_a_verdict_that_changes_within_the_monte_carlo_error_is_chance() -> None:
    """0.94 and 0.92 of 800 draws each, held against 0.92: errors 0.008 and 0.010; 0.90 is further away than that."""
    rule = shipped_methodology("kleiman-2011").decision.model_dump() | {"confidence": 0.92}
    methodology = changed(decision=rule)

    def share(draws: str, n_first: int):
        rows = [(2.0, 1.0)] * n_first + [(1.0, 2.0)] * (50 - n_first)
        shuffled = scores(*rows, n=16).isel(draw=np.random.default_rng(0).permutation(400))
        return build_corner(draws, shuffled, methodology, FINE)

    above, below, far = share("1", 47), share("2", 46), share("3", 42)
    assert [c.outcome for c in (above, below, far)] == ["selected", "extend", "extend"]
    assert verdict_cause({BEFORE: above, AFTER: below}, data=True, rules=False, line=False) == "chance"
    assert verdict_cause({BEFORE: above, AFTER: below}, data=False, rules=False, line=False) == "chance"
    assert verdict_cause({BEFORE: above, AFTER: below}, data=False, rules=True, line=True) == "rules"
    assert verdict_cause({BEFORE: above, AFTER: far}, data=True, rules=False, line=False) == "data"


# Runs.


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Run, Run]:
    """Two assessments that differ in a row and in a weight, and hand-made runs of them."""
    folder = tmp_path_factory.mktemp("pair")
    old = write_tables(folder / "old")
    new = write_tables(folder / "new", methodology=METHODOLOGY.replace("weight = 3.0", "weight = 30.0"))
    harms = (new / "harms.csv").read_text()
    (new / "harms.csv").write_text(harms.replace("CASE-000,killing,police,1", "CASE-000,killing,police,4"))
    return old, new, write_hand_run(folder / "a", old), write_hand_run(folder / "b", new, means=MEANS["extend"])


def test_runs_that_differ_in_data_and_weights_are_split_without_a_refit(pair) -> None:
    old, new, before, after = pair
    found = compare_runs(before, after, (old, new), refit=None)
    assert found.crossed == "scored"
    assert dict(found.choices.keys) == {"category": "score"}
    assert found.tables["harms"].n_changed == 1
    table = found.probabilities
    assert np.allclose(table["data"] + table["rules"], table["change"])
    own = before.posterior["harms"]["harm_realized"].values @ np.array([30.0, 1.5])
    first = (own.argmax(-1) == 0).mean()
    assert found.corners[RULES_ONLY].shares[:, :, 0].mean() == pytest.approx(first, abs=0.02)
    json.dumps(found.to_json_dict(), allow_nan=False)


def test_a_run_compared_with_itself_has_not_changed(pair) -> None:
    found = compare_runs(pair[2], pair[2], (pair[0], pair[0]))
    assert found.cause == "none"
    assert not found.data_differ
    assert (found.probabilities["change"] == 0).all()
    assert found.crossed == "none"


def test_where_the_model_and_the_data_differ_both_combinations_are_fitted(pair, tmp_path: Path) -> None:
    old, _, before, _ = pair
    text = METHODOLOGY + "\n[false_flag]\nwindow = [2, 9]\n"
    new = write_tables(tmp_path / "new", methodology=text)
    (new / "harms.csv").write_text(
        (new / "harms.csv").read_text().replace("CASE-000,killing,police,1", "CASE-000,killing,police,4")
    )
    after = write_hand_run(tmp_path / "run", new, means=MEANS["no_selection"])
    asked = []

    def refit(name, assessment, methodology, weights):
        asked.append((name, len(assessment.harms), int(assessment.harms["best"].sum()), methodology.false_flag.window))
        return scores((9.0, 1.0, 1.0) if name == RULES_ONLY else (1.0, 2.0, 2.0)).assign_coords(
            organization=["g0", "g1", "g2"]
        ), FINE

    found = compare_runs(before, after, (old, new), refit)
    assert found.crossed == "fitted"
    assert [(name, n, window) for name, n, _, window in asked] == [
        (DATA_ONLY, 40, before.methodology.false_flag.window), (RULES_ONLY, 40, (2.0, 9.0)),
    ]  # fmt: skip
    assert asked[0][2] == asked[1][2] + 3  # the new data have three more dead
    assert found.cause == "data"
    without = compare_runs(before, after)
    assert without.crossed == "missing"
    assert without.cause == "unknown"
    assert "give the assessments" in " ".join(change_sentences(without))


def test_data_that_the_other_methodology_cannot_read_are_not_split(pair, tmp_path: Path) -> None:
    old, _, before, _ = pair
    new = write_tables(
        tmp_path / "new", methodology=METHODOLOGY + "\n[channels.radio]\nforgeable = true\naccuracy = [8, 2]\n"
    )
    (new / "evidence.csv").write_text((new / "evidence.csv").read_text().replace("press", "radio"))
    after = write_hand_run(tmp_path / "run", new)
    found = compare_runs(before, after, (old, new), lambda *given: (scores((1.0, 2.0)), FINE))
    assert found.crossed == "missing"
    assert "cannot be fitted by the other methodology" in found.note


def test_another_folder_than_the_run_was_fitted_to_is_refused(pair) -> None:
    old, new, before, after = pair
    with pytest.raises(InputError, match="is not the file that"):
        compare_runs(before, after, (new, old))


def test_other_panels_are_another_choice(tmp_path: Path) -> None:
    methodology = METHODOLOGY + '\n[weights]\nuse = "panel"\n'
    runs = [
        write_hand_run(tmp_path / f"run{n}", write_tables(tmp_path / f"a{n}", methodology=methodology, panel=panel))
        for n, panel in enumerate((PANEL, PANEL.replace("P1,killing,police,3", "P1,killing,police,9")))
    ]
    found = compare_runs(*runs)
    assert found.choices.panel
    assert not found.data_differ
    assert (found.probabilities["rules"] == found.probabilities["change"]).all()


def test_only_another_line_is_no_change_of_any_probability(tmp_path: Path) -> None:
    stricter = METHODOLOGY + "\n[decision]\nconfidence = 0.999\n"
    runs = [
        write_hand_run(tmp_path / f"run{n}", write_tables(tmp_path / f"a{n}", methodology=text))
        for n, text in enumerate((METHODOLOGY, stricter))
    ]
    found = compare_runs(*runs)
    assert found.cause == "rules"
    assert (found.probabilities["change"] == 0).all()


def test_every_cause_has_words() -> None:
    from typing import get_args

    from violencescore.changes.causes import Cause

    assert set(CAUSES) == set(get_args(Cause.__value__))


def test_compare_from_the_command_line(pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, before, after = pair
    given = [str(before.folder), str(after.folder), "--assessments", str(old), str(new)]
    assert cli.run(["compare", *given, "--rows", str(tmp_path / "rows")]) == 0
    printed = capsys.readouterr().out
    assert "scored again: nothing was fitted" in " ".join(printed.split())
    assert [path.name for path in (tmp_path / "rows").iterdir()] == ["harms-changed.csv"]
    assert cli.run(["compare", *given[:2], "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == ["harms.csv"]
    assert found["tables"] is None
    assert cli.run(["compare", *given[:2], "--rows", str(tmp_path / "more")]) == 2


def test_names_are_shown_as_text(tmp_path: Path) -> None:
    from rich.console import Console

    runs = [
        write_hand_run(tmp_path / f"r{n}", write_tables(tmp_path / f"a{n}", names=("[red]A", "B\u202eC".replace("\u202e", ""), "=1")), means=means)
        for n, means in enumerate((MEANS["selected"], MEANS["no_selection"]))
    ]  # fmt: skip
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(change_view(compare_runs(*runs)))
    assert "[red]A" in console.export_text()
    console.file.close()
