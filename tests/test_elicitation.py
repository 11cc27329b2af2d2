"""A panel's weights: forms out and in, answers to weights, agreement, and the commands."""

import csv
import io
import json
import shutil
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from violencescore import cli
from violencescore.assessment import read_assessment
from violencescore.elicitation.agreement import combine_answers, compared_weights, examine_comparisons, kendall_w
from violencescore.elicitation.forms import Answers, build_form, read_forms
from violencescore.errors import InputError
from violencescore.methodology import Methodology, Weights, methodology_from_bytes

METHODOLOGY = b"""
id = "panel"
version = "1"
[[category]]
element = "killing"
victim_role = "police"
weight = 3
[[category]]
element = "killing"
victim_role = "citizen"
weight = 2
[[category]]
element = "extortion"
weight = 1
"""


@pytest.fixture
def methodology() -> Methodology:
    return methodology_from_bytes(METHODOLOGY)


def filled(path: Path, form: bytes, answers: list[dict[str, str]]) -> Path:
    """Write a form with its answers, line by line."""
    rows = list(csv.DictReader(io.StringIO(form.decode())))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, **answer} for row, answer in zip(rows, answers, strict=True))
    return path


def swing(
    path: Path, methodology: Methodology, points: list[str], who: str, units: Mapping[str, float] | None = None
) -> Path:
    form = build_form(methodology, "swing", who, units)
    return filled(path, form, [{"swing_points": p} for p in points])


def points(path: Path, methodology: Methodology, given: list[str], who: str) -> Path:
    return filled(path, build_form(methodology, "points", who), [{"points_of_100": p} for p in given])


def pairwise(path: Path, methodology: Methodology, given: list[tuple[str, str]], who: str) -> Path:
    form = build_form(methodology, "pairwise", who)
    return filled(path, form, [{"heavier": h, "times": t} for h, t in given])


def test_a_form_says_in_words_what_is_asked_and_of_how_many(methodology: Methodology) -> None:
    form = build_form(methodology, "pairwise", "P1", {"extortion": 20}).decode()
    assert "first: 1 × killing of a police officer, or second: 20 × extortion?" in form
    assert len(form.splitlines()) == 1 + 3


def test_the_three_kinds_give_the_same_weights_for_the_same_opinion(methodology: Methodology, tmp_path: Path) -> None:
    forms = read_forms(
        [
            swing(tmp_path / "a.csv", methodology, ["100", "50", "25"], "A"),
            points(tmp_path / "b.csv", methodology, ["57.142857", "28.571429", "14.285714"], "B"),
            pairwise(tmp_path / "c.csv", methodology, [("first", "2"), ("first", "4"), ("first", "2")], "C"),
        ]
    )
    panel = combine_answers(forms, Weights(pool="logarithmic"))
    assert_allclose(panel.weights, [[4 / 7, 2 / 7, 1 / 7]] * 3, atol=1e-7)
    assert_allclose(panel.pooled, [4 / 7, 2 / 7, 1 / 7], atol=1e-7)
    assert panel.kendall_w == pytest.approx(1.0)
    assert panel.consistency["C"].ratio == pytest.approx(0.0, abs=1e-9)
    assert panel.apart == ()


def test_a_weight_is_per_harm_however_many_were_compared(methodology: Methodology, tmp_path: Path) -> None:
    (form,) = read_forms([swing(tmp_path / "a.csv", methodology, ["100", "60", "80"], "A", {"extortion": 20})])
    weights = combine_answers([form], Weights()).weights.values[0]
    assert_allclose(weights / weights[0], [1.0, 0.6, 0.04])


def test_second_means_that_the_second_is_heavier(methodology: Methodology, tmp_path: Path) -> None:
    (form,) = read_forms([pairwise(tmp_path / "a.csv", methodology, [("Second", "3"), ("equal", ""), ("", "")], "A")])
    assert form.ratios == {(0, 1): pytest.approx(1 / 3), (0, 2): 1.0}
    assert_allclose(combine_answers([form], Weights()).weights.values[0], [0.2, 0.6, 0.2])


# Pairwise comparisons.

SAATY = {(0, 1): 3.0, (0, 2): 5.0, (1, 2): 3.0}


def test_the_consistency_ratio_is_that_of_the_eigenvalue() -> None:
    """By hand: for 3 things the largest eigenvalue is 1 + t + 1/t, t the cube root of a13 / (a12 a23)."""
    t = (5.0 / 9.0) ** (1 / 3)
    found = examine_comparisons(compared_weights(3, SAATY), SAATY)
    assert found.ratio == pytest.approx((1 + t + 1 / t - 3) / 2 / 0.4914)


def test_the_weights_of_all_comparisons_are_the_geometric_means_of_the_rows() -> None:
    means = np.array([(3 * 5) ** (1 / 3), (1 / 3 * 3) ** (1 / 3), (1 / 5 / 3) ** (1 / 3)])
    assert_allclose(compared_weights(3, SAATY), means / means.sum())


def test_the_factor_of_inconsistency_is_the_geometric_consistency_index() -> None:
    """Aguarón and Moreno-Jiménez (2003): 2 / ((n - 1)(n - 2)) times the sum of squared log errors."""
    weights = compared_weights(3, SAATY)
    errors = [np.log(r * weights[j] / weights[i]) for (i, j), r in SAATY.items()]
    found = examine_comparisons(weights, SAATY)
    assert found.factor is not None
    assert np.log(found.factor) ** 2 == pytest.approx(sum(e * e for e in errors))


def test_left_out_comparisons_leave_the_weights_of_consistent_ones_as_they_are() -> None:
    truth = np.array([0.4, 0.3, 0.2, 0.1])
    ratios = {(i, j): truth[i] / truth[j] for i, j in combinations(range(4), 2) if (i, j) != (0, 3)}
    assert_allclose(compared_weights(4, ratios), truth)
    found = examine_comparisons(compared_weights(4, ratios), ratios)
    assert found.ratio is None
    assert found.factor == pytest.approx(1.0)


def test_the_pair_most_at_odds_is_found() -> None:
    truth = np.array([0.4, 0.3, 0.2, 0.06, 0.04])
    ratios = {(i, j): truth[i] / truth[j] for i, j in combinations(range(5), 2)} | {(1, 3): 1 / 5}
    found = examine_comparisons(compared_weights(5, ratios), ratios)
    assert found.worst is not None
    assert found.worst[0] == (1, 3)
    assert found.ratio is not None
    assert found.ratio > 0.1


# Disagreement.


def test_kendalls_w_of_full_disagreement_and_by_hand() -> None:
    """Ranks 1 2 3, 1 2 3, 3 2 1: column sums 5 6 7, S = 2, W = 12 S / (m^2 (n^3 - n)) = 24 / 216."""
    shares = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])
    assert kendall_w(shares) == pytest.approx(24 / 216)
    assert kendall_w(shares[1:]) == pytest.approx(0.0)
    assert kendall_w(np.full((3, 3), 1 / 3)) is None
    assert kendall_w(shares[:1]) is None


def answers_of(who: str, given: list[float]) -> Answers:
    categories = (("killing", "police"), ("killing", "citizen"), ("extortion", ""))
    return Answers(f"{who}.csv", who, "points", categories, np.ones(3), np.array(given), {})


def test_who_thinks_otherwise_stands_apart() -> None:
    panel = combine_answers(
        [answers_of("A", [50, 30, 20]), answers_of("B", [48, 32, 20]), answers_of("C", [52, 30, 18]),
         answers_of("D", [10, 20, 70])], Weights()
    )  # fmt: skip
    assert panel.apart == ("D",)
    assert panel.distance_to_others["D"] == pytest.approx(100 * (0.7 - (0.2 + 0.2 + 0.18) / 3))
    assert panel.distances.loc["A", "D"] == pytest.approx(50.0)


# Faults.


def test_all_faults_of_all_forms_are_listed_at_once(methodology: Methodology, tmp_path: Path) -> None:
    bad = [
        swing(tmp_path / "a.csv", methodology, ["90", "nan", "-1"], "A"),
        swing(tmp_path / "b.csv", methodology, ["90", "40", "1"], "B"),
        points(tmp_path / "c.csv", methodology, ["90", "40", "1"], "C"),
        pairwise(tmp_path / "d.csv", methodology, [("third", "2"), ("first", "12"), ("equal", "3")], "D"),
        pairwise(tmp_path / "e.csv", methodology, [("first", "2"), ("", ""), ("", "")], "E"),
        swing(tmp_path / "f.csv", methodology, ["100", "1", "1"], ""),
        tmp_path / "none.csv",
    ]
    with pytest.raises(InputError) as error:
        read_forms(bad)
    text = str(error.value)
    for part in (
        "a.csv row 3, swing_points: 'nan'", "a.csv row 4, swing_points: '-1'", "b.csv, swing_points: the largest is 90",
        "they add up to 131", "d.csv row 2, heavier: 'third'", "d.csv row 3, times: '12'", "d.csv row 4, times: '3'",
        "no chain of answers connects extortion", "f.csv row 2, panelist_id", "none.csv: cannot be read",
    ):  # fmt: skip
        assert part in text
    assert len(error.value.faults) == 10


def test_two_forms_of_one_panelist_or_of_other_categories_are_faults(methodology: Methodology, tmp_path: Path) -> None:
    first = swing(tmp_path / "a.csv", methodology, ["100", "50", "25"], "A")
    again = tmp_path / "b.csv"
    again.write_text("".join(first.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_forms([first, again])
    assert "has a form already" in str(error.value)
    assert "'extortion': lacks this category" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfea", b"a;b\n1;2\n", b'"', b"panelist_id,swing_points\n", b"x\n\n\n"])
def test_what_is_no_form_is_a_fault_and_no_crash(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_forms([path])


def test_an_id_that_is_a_formula_is_never_written_so_that_it_runs(methodology: Methodology, tmp_path: Path) -> None:
    evil = '=HYPERLINK("x")'
    form = build_form(methodology, "swing", evil)
    assert b"\n=" not in form
    assert b'"=' not in form
    paths = [swing(tmp_path / f"{i}.csv", methodology, ["100", "5", "2"], who)
             for i, who in enumerate((evil, "+1", "-1", "@x"))]  # fmt: skip
    assert [answers.panelist for answers in read_forms(paths)] == [evil, "+1", "-1", "@x"]
    assert cli.run(["weights", "combine", *map(str, paths), "--out", str(tmp_path / "panel_weights.csv")]) == 0
    rows = list(csv.reader(io.StringIO((tmp_path / "panel_weights.csv").read_text(encoding="utf-8"))))
    assert {row[0][:2] for row in rows[1:]} == {"'=", "'+", "'-", "'@"}


# The commands.


def test_from_forms_to_a_table_that_an_assessment_takes(
    assessment_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assessment_folder = Path(shutil.copytree(assessment_folder, tmp_path / "assessment"))
    (assessment_folder / "panel_weights.csv").unlink(missing_ok=True)
    for who in ("P1", "P2"):
        given = ["weights", "form", str(assessment_folder), "--kind", "swing", "--panelist", who]
        assert cli.run([*given, "--out", str(tmp_path / f"{who}.csv")]) == 0
        form = (tmp_path / f"{who}.csv").read_bytes()
        n = len(form.splitlines()) - 1
        filled(tmp_path / f"{who}.csv", form, [{"swing_points": str(100 // (i + 1))} for i in range(n)])
    capsys.readouterr()
    files = [str(tmp_path / f"{who}.csv") for who in ("P1", "P2")]
    out, figure = assessment_folder / "panel_weights.csv", tmp_path / "panel.svg"
    given = ["weights", "combine", *files, "--out", str(out), "--figure", str(figure), "--json"]
    assert cli.run([*given, "--methodology", str(assessment_folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["pooled"].values()) == pytest.approx(1.0)
    assert figure.read_text(encoding="utf-8").count("<svg") == 1
    table = read_assessment(assessment_folder).panel_weights
    assert set(table["panelist_id"]) == {"P1", "P2"}
    mine = table[table["panelist_id"] == "P1"].set_index("category")["weight"].to_dict()
    assert mine == pytest.approx(found["panelists"][0]["weights"])


def test_bad_forms_write_nothing(methodology: Methodology, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = swing(tmp_path / "a.csv", methodology, ["9", "4", "1"], "A")
    assert cli.run(["weights", "combine", str(bad), "--out", str(tmp_path / "w.csv"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["faults"][0]["column"] == "swing_points"
    assert not (tmp_path / "w.csv").exists()


@pytest.mark.parametrize("units", ["extortion", "extortion=0", "nothing=2", "extortion=nan"])
def test_units_that_say_nothing_are_faults(units: str, tmp_path: Path) -> None:
    given = ["weights", "form", "kleiman-2011", "--kind", "points", "--units", units]
    assert cli.run([*given, "--out", str(tmp_path / "f.csv")]) == 2
    assert not (tmp_path / "f.csv").exists()
