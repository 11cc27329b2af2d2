"""What the page says the data taught: families in one line each, and the two ends of a long list."""

import math

from violencescore.report.identification import family_rows, parameter_rows, rests_on


def quantities(n: int, family: str = "reach") -> list[dict[str, object]]:
    return [{"parameter": f"{family}[x, {i}]", "contraction": i / n, "prior_sd": 1.0} for i in range(n)]


def test_a_short_list_is_shown_whole_least_learned_first() -> None:
    rows = parameter_rows(quantities(16)[::-1])
    assert [row["parameter"] for row in rows] == [f"reach[x, {i}]" for i in range(16)]


def test_of_a_long_list_both_ends_are_shown() -> None:
    rows = parameter_rows(quantities(100))
    assert [row["contraction"] for row in rows] == ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05"] + [
        f"0.{i}" for i in range(94, 100)
    ]


def test_families_count_what_was_learned() -> None:
    found = [*quantities(10), *quantities(4, "brand_new_prior"), {"parameter": "accuracy[press]", "contraction": None}]
    rows = family_rows(found)
    assert [(row["name"], row["on_data"], row["n"], row["median"]) for row in rows] == [
        ("reach", 5, 10, "0.45"),
        ("brand_new_prior", 2, 4, "0.38"),
        ("accuracy", 0, 1, "–"),
    ]
    assert rows[1]["meaning"] == "brand new prior"


def test_what_a_quantity_rests_on_follows_its_contraction() -> None:
    assert [rests_on(c) for c in (0.05, 0.2, 0.9, math.nan)] == ["the prior", "mostly the prior", "mostly the data", ""]
    assert rests_on(-0.7).startswith("the prior (wider than before")


def test_missing_figures_leave_dashes() -> None:
    (row,) = parameter_rows([{"parameter": "x", "contraction": None, "prior_mean": None, "prior_sd": math.inf}])
    assert (row["before"], row["contraction"], row["share"]) == ("–", "–", 0.0)
