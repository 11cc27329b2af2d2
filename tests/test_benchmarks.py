"""The benchmarks: do they run, and do their tables say what was measured? Nothing here is timed against anything."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import calibration
import gradient
import pandas as pd
import pytest
import refits
import verdict
from published import DOCS, PAGE, between_marks, markdown, spread

BENCHMARKS = Path(gradient.__file__).parent
COMMANDS = sorted(path.stem for path in BENCHMARKS.glob("*.py") if "def main(" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_benchmark_says_how_it_is_used(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    assert ended.value.code == 0
    assert f"python benchmarks/{name}.py" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_make_bench_runs_each_benchmark(name: str) -> None:
    makefile = (BENCHMARKS.parent / "Makefile").read_text(encoding="utf-8")
    assert f"python benchmarks/{name}.py" in makefile


@pytest.fixture(scope="module")
def small_gradients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gradient's benchmark on one small world, and on the same with five times as many of each group."""
    out = tmp_path_factory.mktemp("docs")
    marks = "<!-- written by benchmarks/gradient.py -->old<!-- end of benchmarks/gradient.py -->"
    (out / PAGE).write_text(f"before\n{marks}\nafter\n", encoding="utf-8")
    sizes = (
        "--incidents 200 --organizations 3 --regions 2 --channels 2 --base 200 3 2 2 --typical 200 3 2 2 --same 200 5"
    )
    gradient.main(f"{sizes} --rounds 2 --seconds 0.001 --out {out}".split())
    return out


def test_the_same_patterns_are_the_same_groups_with_more_incidents(small_gradients: Path) -> None:
    rows = pd.read_csv(small_gradients / "results" / "gradient.csv")
    same = rows[rows["series"] == gradient.SAME].groupby("copies")[["incidents", "groups", "patterns"]].first()
    assert same.loc[5, "incidents"] == 5 * same.loc[1, "incidents"]
    assert same.loc[5, ["groups", "patterns"]].tolist() == same.loc[1, ["groups", "patterns"]].tolist()


def test_ratios_of_gradients_are_between_times_of_one_round(small_gradients: Path) -> None:
    rows = pd.read_csv(small_gradients / "results" / "gradient.csv")
    assert (rows[["density_us", "mixture_us", "plain_us"]] > 0).all(axis=None)
    assert rows["to_mixture"].to_numpy() == pytest.approx(rows["density_us"] / rows["mixture_us"], rel=1e-4)
    assert rows.groupby("series")["round"].nunique().eq(2).all()


def test_the_table_stands_between_its_marks_on_the_page(small_gradients: Path) -> None:
    page = (small_gradients / PAGE).read_text(encoding="utf-8")
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert re.search(r"\| same patterns \| [\d,]+ \| 3 \| 2 \| 2 \|", page)
    assert "(images/gradient.png)" in page
    assert (small_gradients / "images" / "gradient.png").read_bytes().startswith(b"\x89PNG")


def test_kernels_that_disagree_are_not_compared() -> None:
    with pytest.raises(ArithmeticError, match="the comparison is void"):
        gradient.require_same((1.0, [1.0]), (1.0, [1.1]))


@pytest.mark.parametrize("name", ["gradient", "verdict", "refits", "large", "peers"])
def test_the_page_has_a_place_for_each_table(name: str) -> None:
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    assert "| new |" in between_marks(page, name, markdown(pd.DataFrame({"new": ["1"]})))


def test_a_page_without_its_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="must hold the lines"):
        between_marks("no marks", "gradient", "text")


def test_a_spread_is_a_median_with_the_lowest_and_the_highest() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert spread([4.0]) == "4"


def test_the_phases_of_a_process_are_its_whole_time() -> None:
    recorded = {"read": 1.0, "compile": 2.0, "sample": 3.0, "scores": 0.5, "total": 7.0}
    phases = verdict.split(begin=100.0, compiling=101.5, written=108.0, end=109.0, seconds=recorded)
    assert list(phases) == list(verdict.PHASES)
    assert sum(phases.values()) == pytest.approx(9.0)
    assert phases["start"] == pytest.approx(0.5)
    assert phases["prepare"] == pytest.approx(0.5)
    assert phases["write"] == pytest.approx(0.5)


def test_verdicts_are_compared_with_the_warm_one_of_their_round() -> None:
    phases = dict.fromkeys(verdict.PHASES, 1.0)
    runs = [("cold", 1, 20.0), ("warm", 1, 10.0), ("cold", 2, 12.0), ("warm", 2, 4.0)]
    rows = pd.DataFrame([{"state": s, "round": n, "total": t, "kernels": 0, **phases} for s, n, t in runs])
    table = verdict.summarize(rows)
    assert table["to warm"].tolist() == ["2.50 (2.00 to 3.00)", "1.00 (1.00 to 1.00)"]
    assert verdict.draw(rows).startswith(b"\x89PNG")


def test_refits_are_compared_with_one_process_of_the_same_round() -> None:
    counted = {"refits": 2, "seconds_of_one": 1.0, "draws_of_one": 10, "gradients_of_one": 20, "converged": 2}
    runs = [(refits.ONE, 1, 20.0), (refits.TWO, 1, 30.0), (refits.ONE, 2, 10.0), (refits.TWO, 2, 20.0)]
    rows = pd.DataFrame([{"way": w, "round": n, "chains": 4, "per_minute": m, **counted} for w, n, m in runs])
    table = refits.summarize(rows)
    assert table["to one process"].tolist() == ["1.00 (1.00 to 1.00)", "1.75 (1.50 to 2.00)"]
    assert table["converged"].tolist() == ["4 of 4", "4 of 4"]
    assert refits.draw(rows).startswith(b"\x89PNG")


def test_what_suppression_gains_is_told_assessment_by_assessment() -> None:
    def record(world: str, seed: int, p: float, selected: str | None) -> dict[str, object]:
        said = {"p_first": {"a": p, "b": 1 - p}, "verdicts": {"0.9": {"outcome": "", "selected": selected}}}
        return {"task": {"name": world, "seed": seed}, "truth": {"a": 2.0, "b": 1.0}, "methods": {"model": said}}

    records = [
        record("silenced", 1, 0.7, None), record("silenced", 2, 0.9, "a"), record("silenced", 3, 0.1, "b"),
        record("listed", 1, 0.9, "a"), record("listed", 2, 0.9, "a"), record("listed", 4, 0.9, "a"),
        record("hidden", 1, 0.9, "a"),
    ]  # fmt: skip
    rows = calibration.suppression_table(records).to_dict("records")
    assert [(row["world"], row["method"], row["assessments"]) for row in rows] == [("silenced", "model", "2")]
    assert rows[0]["change"] == "-0.100 ± 0.100"
    assert rows[0]["P(first) of the most violent"] == "0.800, without 0.900"
    assert rows[0]["named rightly at 0.90"] == "1, without 2"
