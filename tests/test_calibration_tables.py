"""From records of refits to tables: counts that are worked by hand, and properties that calibrated records have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from calibration_cases import IDS, made_up, said

from violencescore.calibration import frames, tables
from violencescore.calibration.methods import ALWAYS, MODEL, NAMES
from violencescore.calibration.plan import Task
from violencescore.calibration.results import tabulate

MANY = 400


@pytest.fixture(scope="module")
def calibrated() -> list[dict]:
    return [made_up(Task("world", "plain", seed)) for seed in range(MANY)]


@pytest.fixture(scope="module")
def overconfident() -> list[dict]:
    return [made_up(Task("world", "plain", seed), overconfident=4.0) for seed in range(MANY)]


def record(p_first: dict[str, float], truth: dict[str, float], seed: int = 1, world: str = "plain") -> dict:
    """A record of one method whose P(first) is given and whose draws are all alike."""
    base = made_up(Task("world", world, seed))
    draws = np.tile([10.0, 20.0, 30.0], (100, 1)) + np.linspace(-5, 5, 100)[:, None]
    return {**base, "truth": truth, "expected": truth, "methods": {MODEL: said(p_first, draws)}}


A_FIRST = {"a": 3.0, "b": 2.0, "c": 1.0}


def test_a_selection_is_right_wrong_or_an_abstention_by_stated_confidence() -> None:
    sure, unsure = {"a": 0.93, "b": 0.05, "c": 0.02}, {"a": 0.85, "b": 0.1, "c": 0.05}
    wrong = {"a": 0.01, "b": 0.98, "c": 0.01}
    records = [record(p, A_FIRST, seed) for seed, p in enumerate([sure, unsure, wrong])]
    table = tables.operating_characteristics(frames.verdict_frame(records), ["world"])
    rows = table[table["method"] == MODEL].set_index("confidence")
    assert rows[["right", "wrong", "abstained"]].values.tolist() == [[2, 1, 0], [1, 1, 1], [0, 1, 2]]
    assert rows["wrong_share"].tolist() == pytest.approx([1 / 3, 1 / 2, 1.0])
    assert rows["selected_share"].tolist() == pytest.approx([1.0, 2 / 3, 1 / 3])


def test_whoever_is_named_most_often_is_always_selected_unless_two_are() -> None:
    records = [
        {**record(A_FIRST, A_FIRST, i), "most_named": named} for i, named in enumerate([["a"], ["b"], ["a", "b"]])
    ]
    verdicts = frames.verdict_frame(records)
    assert verdicts.loc[verdicts["method"] == ALWAYS, "result"].tolist() == ["right", "wrong", "no_selection"]


def test_a_tie_for_the_first_place_makes_either_right_and_shares_the_event() -> None:
    tied = record({"a": 0.95, "b": 0.04, "c": 0.01}, {"a": 3.0, "b": 3.0, "c": 1.0})
    verdicts = frames.verdict_frame([tied])
    assert verdicts.loc[verdicts["method"] == MODEL, "result"].iloc[0] == "right"
    assert frames.first_frame([tied])["is_first"].tolist() == [0.5, 0.5, 0.0]


def test_more_wrong_selections_than_stated_break_the_word_only_beyond_sampling_error() -> None:
    def keeps(n_wrong: int, n: int) -> bool:
        result = ["wrong"] * n_wrong + ["right"] * (n - n_wrong)
        frame = pd.DataFrame({"world": "plain", "method": MODEL, "confidence": 0.9, "result": result})
        return bool(tables.operating_characteristics(frame, ["world"])["keeps_word"].iloc[0])

    assert keeps(1, 4)
    assert keeps(15, 100)
    assert not keeps(20, 100)
    assert not keeps(4, 5)


def test_exact_intervals_of_shares_are_those_of_clopper_and_pearson() -> None:
    assert tables.binomial_interval(4, 20) == pytest.approx((0.0573, 0.4366), abs=5e-5)
    assert tables.binomial_interval(0, 10) == pytest.approx((0.0, 0.3085), abs=5e-5)
    assert tables.binomial_interval(0, 0) == (0.0, 1.0)


def test_intervals_cover_where_the_truth_lies_inside_or_on_an_end() -> None:
    base = record({"a": 0.2, "b": 0.3, "c": 0.5}, {"a": 10.0, "b": 100.0, "c": -100.0})
    covered = frames.interval_frame([base])
    realized = covered[covered["estimand"] == "realized"].set_index(["organization", "level"])
    assert realized["covers"].tolist() == [True] * 3 + [False] * 6
    assert realized.loc["b", "above"].all()
    assert realized.loc["c", "below"].all()
    low = base["methods"][MODEL]["realized"]["a"][0]
    on_the_end = {**base, "truth": {**base["truth"], "a": low}}
    assert frames.interval_frame([on_the_end]).query("organization == 'a' and level == 0.9")["covers"].iloc[0]


def test_calibrated_records_cover_as_stated_and_overconfident_ones_do_not(
    calibrated: list[dict], overconfident: list[dict]
) -> None:
    for records, holds in ((calibrated, True), (overconfident, False)):
        table = tables.coverage(frames.interval_frame(records), ["world"]).query(f"method == '{MODEL}'")
        stated = table["level"].to_numpy()
        assert ((table["low"] <= stated) & (stated <= table["high"])).all() == holds
        assert (table["intervals"] == MANY * len(IDS)).all()
        assert (table["coverage"] + table["truth_below"] + table["truth_above"]).tolist() == pytest.approx([1.0] * 6)


def test_stated_probabilities_of_calibrated_records_come_true_and_overconfident_ones_do_not(
    calibrated: list[dict], overconfident: list[dict]
) -> None:
    good, bad = (
        tables.probability_scores(frames.first_frame(records), ["world"]).set_index("method").loc[MODEL]
        for records in (calibrated, overconfident)
    )
    assert good["calibration_error"] < 1.6 * good["calibration_error_if_calibrated"]
    assert bad["calibration_error"] > 3 * bad["calibration_error_if_calibrated"]
    assert good["largest_p"] == pytest.approx(good["top_is_first"], abs=0.06)
    assert bad["largest_p"] > bad["top_is_first_high"]
    assert good["log_score"] > bad["log_score"]
    assert good["brier"] < bad["brier"]


def test_reliability_bins_hold_their_statements(calibrated: list[dict]) -> None:
    table = tables.reliability(frames.first_frame(calibrated), ["world"]).query(f"method == '{MODEL}'")
    assert table["n"].sum() == MANY * len(IDS)
    assert table["stated"].between(table["stated_from"], table["stated_to"]).all()
    inside = (table["low"] <= table["stated"]) & (table["stated"] <= table["high"])
    assert inside.mean() >= 0.8


def test_log_and_brier_scores_are_those_worked_by_hand() -> None:
    records = [record({"a": 0.5, "b": 0.3, "c": 0.2}, A_FIRST, 1), record({"a": 0.0, "b": 1.0, "c": 0.0}, A_FIRST, 2)]
    row = tables.probability_scores(frames.first_frame(records), ["world"]).iloc[0]
    # 100 draws without a single one for the truth count as half a draw.
    assert row["log_score"] == pytest.approx((np.log(0.5) + np.log(0.5 / 100)) / 2)
    assert row["brier"] == pytest.approx((0.25 + 0.09 + 0.04 + 2.0) / 2)
    assert row["top_is_first"] == 0.5


def test_chance_alone_makes_a_calibration_error_that_falls_with_more_assessments(calibrated: list[dict]) -> None:
    stated = frames.first_frame(calibrated).query(f"method == '{MODEL}'")
    few, many = (tables.calibration_error(stated.iloc[: n * len(IDS)])[1] for n in (20, MANY))
    assert few > 2 * many > 0


def test_groups_have_no_gaps_and_are_named_by_their_ends() -> None:
    names = {n: frames._step(n, frames.INCIDENT_EDGES) for n in (0, 299, 300, 2999, 3000, 9999)}
    assert list(names.values()) == [
        "0 to 299",
        "0 to 299",
        "300 to 999",
        "1,000 to 2,999",
        "3,000 or more",
        "3,000 or more",
    ]
    assert frames._step(0, frames.SETTLED_EDGES) == "0"
    assert frames._step(0.49, frames.ATTRIBUTED_EDGES) == "under 50%"
    assert frames._step(0.65, frames.ATTRIBUTED_EDGES) == "65% to under 80%"
    assert frames._step(1.0, frames.ATTRIBUTED_EDGES) == "80% or more"


def test_groups_stand_in_the_order_of_their_size_and_add_up(calibrated: list[dict]) -> None:
    found = tabulate(calibrated, [])
    for group in ("incidents", "share attributed", "adjudicated"):
        table = found[f"verdicts by {group}"].query(f"method == '{MODEL}' and confidence == 0.9")
        assert table["assessments"].sum() == MANY
        assert len(table) == 4
    order = found["verdicts by incidents"].query(f"method == '{MODEL}' and confidence == 0.9")["incidents"].tolist()
    assert order == ["0 to 299", "300 to 999", "1,000 to 2,999", "3,000 or more"]


def test_the_first_look_that_selects_counts_and_is_judged_by_what_was_true_that_day() -> None:
    base = made_up(Task("world", "plain", 1, weekly=True))
    draws = np.ones((100, 3))
    early, late = {"a": 0.97, "b": 0.02, "c": 0.01}, {"a": 0.02, "b": 0.97, "c": 0.01}
    nobody = {"a": 0.4, "b": 0.3, "c": 0.3}
    looks = [
        {"week": 1, "truth": {"a": 1, "b": 0, "c": 0}, "methods": {MODEL: said(nobody, draws)}},
        {"week": 2, "truth": {"a": 2, "b": 1, "c": 0}, "methods": {MODEL: said(early, draws)}},
        {"week": 3, "truth": {"a": 2, "b": 9, "c": 0}, "methods": {MODEL: said(late, draws)}},
    ]
    frame = frames.look_frame([{**base, "truth": looks[-1]["truth"], "looks": looks}])
    row = frame[frame["confidence"] == 0.9].iloc[0]
    assert (row["at_end"], row["sequential"], row["sequential_full"], row["week"]) == ("right", "right", "wrong", 2)
    table = tables.weekly(frame, ["world"])
    assert set(table["rule"]) == {"one look at the end", "weekly, judged that day", "weekly, judged at the end"}
    assert table.loc[table["rule"] == "one look at the end", "week"].isna().all()


def test_weekly_looks_inflate_error_even_where_each_look_is_calibrated() -> None:
    records = [made_up(Task("world", "plain", seed, weekly=True), weekly=True) for seed in range(MANY)]
    table = tables.weekly(frames.look_frame(records), ["world"]).query("confidence == 0.8").set_index("rule")
    assert table.loc["weekly, judged at the end", "selected_share"] > table.loc["one look at the end", "selected_share"]
    assert table.loc["weekly, judged at the end", "wrong_share"] > table.loc["one look at the end", "wrong_share"]


def test_what_was_refused_is_an_abstention_and_states_nothing() -> None:
    refused = record({"a": 0.5, "b": 0.3, "c": 0.2}, A_FIRST)
    nothing = {"outcome": "not_estimable", "selected": None}
    verdicts = {f"{level:g}": nothing for level in (0.8, 0.9, 0.95)}
    refused["methods"] = {MODEL: {"p_first": None, "verdicts": verdicts, "converged": False, "reason": "no"}}
    assert frames.first_frame([refused]).empty
    assert frames.interval_frame([refused]).empty
    table = tables.operating_characteristics(frames.verdict_frame([refused]), ["world"])
    assert table.loc[table["method"] == MODEL, "not_estimable"].tolist() == [1, 1, 1]
    assert tabulate([refused], [])["fits"]["converged"].tolist() == [0]


def test_counting_names_states_a_confidence_of_its_own(calibrated: list[dict]) -> None:
    found = tabulate(calibrated, [])
    assert {MODEL, NAMES, ALWAYS} < set(found["verdicts"]["method"])
    assert NAMES in set(found["coverage"]["method"])
