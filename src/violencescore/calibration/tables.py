"""What the refits show, in numbers: operating characteristics, coverage, calibration of P(first), weekly looks.

Each function takes a flat table of `frames` and the columns to group by, and returns one row a group. Every share comes
with a 95 % interval: exact binomial (Clopper and Pearson 1934) where cases are independent; over the means of
assessments where several figures come from one and are not.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]

N_BINS = 10
N_RESAMPLES = 500
_ABSTENTIONS = ("extend", "no_selection", "not_estimable")


def operating_characteristics(verdicts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Count how often the rule selected, rightly and wrongly, by stated confidence.

    Returns
    -------
    pandas.DataFrame
        The groups, method, confidence; assessments; ``right``, ``wrong`` and ``abstained``, of which the last is
        parted into ``extend``, ``no_selection`` and ``not_estimable``; ``selected_share`` of the assessments;
        ``wrong_share`` of the selections, each with the ends of its interval; ``keeps_word``: False if more
        selections were wrong than the stated confidence allows, beyond sampling error.
    """
    rows = []
    for keys, part in verdicts.groupby([*by, "method", "confidence"], sort=False, dropna=False):
        count = part["result"].value_counts()
        right, wrong = int(count.get("right", 0)), int(count.get("wrong", 0))
        abstained = {name: int(count.get(name, 0)) for name in _ABSTENTIONS}
        low, _ = binomial_interval(wrong, right + wrong)
        confidence = float(part["confidence"].iloc[0])
        rows.append(
            {
                **_named([*by, "method", "confidence"], keys),
                "assessments": len(part),
                "right": right,
                "wrong": wrong,
                "abstained": sum(abstained.values()),
                **abstained,
                **_share("selected_share", right + wrong, len(part)),
                **_share("wrong_share", wrong, right + wrong),
                "keeps_word": None if np.isnan(confidence) or not right + wrong else bool(low <= 1 - confidence),
            }
        )
    return pd.DataFrame(rows)


def _named(columns: Sequence[str], values: tuple[Hashable, ...]) -> dict[str, Any]:
    return dict(zip(columns, values, strict=True))


def _share(name: str, n: int, total: int) -> dict[str, float]:
    low, high = binomial_interval(n, total)
    return {name: n / total if total else np.nan, f"{name}_low": low, f"{name}_high": high}


def binomial_interval(n: int, total: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share; 0 to 1 where nothing was counted.

    Examples
    --------
    >>> low, high = binomial_interval(0, 20)
    >>> low, round(high, 3)
    (0.0, 0.168)
    """
    from scipy.stats import binomtest

    if total == 0:
        return 0.0, 1.0
    interval = binomtest(n, total).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def coverage(intervals: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the share of true scores that their intervals hold, and on which side the others lie.

    Scores of one assessment share their errors, so that ``low`` and ``high`` come from the spread between
    assessments; with a single one they are missing.
    """
    rows = []
    keys = [*by, "method", "estimand", "level"]
    for values, part in intervals.groupby(keys, sort=False):
        means = part.groupby("assessment")["covers"].mean().to_numpy(dtype=np.float64)
        low, high = mean_interval(means)
        rows.append(
            {
                **_named(keys, values),
                "assessments": len(means),
                "intervals": len(part),
                "coverage": float(part["covers"].mean()),
                "low": max(low, 0.0),
                "high": min(high, 1.0),
                "truth_below": float(part["below"].mean()),
                "truth_above": float(part["above"].mean()),
            }
        )
    return pd.DataFrame(rows)


def mean_interval(values: Array) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by Student's t; missing with fewer than two values."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = float(t.ppf(0.975, n - 1)) * float(values.std(ddof=1)) / np.sqrt(n)
    mean = float(values.mean())
    return mean - half, mean + half


def probability_scores(first: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Score the stated probabilities of being first.

    Returns
    -------
    pandas.DataFrame
        The groups and method; assessments, and of how many the fit converged; ``top_is_first``: share in which the
        organization with the highest P(first) is truly first; ``largest_p``: its P(first) on average, which should be
        the same; ``log_score``: mean logarithm of the P(first) of the one that was (0 is perfect; Good 1952);
        ``brier``: mean squared error summed over organizations (0 is perfect; Brier 1950), both with their standard
        errors; ``calibration_error``: mean distance between stated probability and observed frequency over ten bins
        of P(first), and ``calibration_error_if_calibrated``: what chance alone makes of that if all are true.
    """
    rows = []
    keys = [*by, "method"]
    for values, part in first.groupby(keys, sort=False):
        groups = part.groupby("assessment", sort=False)
        logs = (part["log_p"] * part["is_first"]).groupby(part["assessment"]).sum().to_numpy()
        squares = ((part["p"] - part["is_first"]) ** 2).groupby(part["assessment"]).sum().to_numpy()
        top = part.loc[groups["p"].idxmax()]
        error, by_chance = calibration_error(part)
        rows.append(
            {
                **_named(keys, values),
                "assessments": len(logs),
                "converged": int(groups["converged"].first().sum()),
                **_share("top_is_first", int((top["is_first"] > 0).sum()), len(top)),
                "largest_p": float(top["p"].mean()),
                "log_score": float(logs.mean()),
                "log_score_se": _standard_error(logs),
                "brier": float(squares.mean()),
                "brier_se": _standard_error(squares),
                "calibration_error": error,
                "calibration_error_if_calibrated": by_chance,
            }
        )
    return pd.DataFrame(rows)


def _standard_error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def calibration_error(first: pd.DataFrame, seed: int = 0) -> tuple[float, float]:
    """Return the binned calibration error of P(first), and its mean if one of each assessment were drawn by P(first).

    The second is what an error must exceed to mean something: with few assessments it is far from zero
    (Bröcker and Smith 2007, "Increasing the reliability of reliability diagrams").
    """
    p, is_first = first["p"].to_numpy(), first["is_first"].to_numpy()
    places, _ = pd.factorize(first["assessment"])
    order = np.argsort(places, kind="stable")
    p, is_first, places = p[order], is_first[order], places[order]
    rng = np.random.default_rng(seed)
    start = np.flatnonzero(np.diff(places, prepend=-1))
    total = np.add.reduceat(p, start)
    before = np.cumsum(p) - p - (np.cumsum(np.append(0.0, total))[:-1])[places]
    simulated = []
    for _ in range(N_RESAMPLES):
        u = (rng.random(len(start)) * total)[places]
        simulated.append(_binned_error(p, ((u >= before) & (u < before + p)).astype(np.float64)))
    return _binned_error(p, is_first), float(np.mean(simulated))


def _binned_error(p: Array, outcome: Array) -> float:
    index = _bin(p)
    gaps = np.bincount(index, weights=p - outcome, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(p))


def _bin(p: Array) -> npt.NDArray[np.int64]:
    return np.minimum((p * N_BINS).astype(np.int64), N_BINS - 1)


def reliability(first: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return, by bin of the stated P(first), its mean and how often it came true, with the interval of that share."""
    rows = []
    keys = [*by, "method", "bin"]
    binned = first.assign(bin=_bin(first["p"].to_numpy()))
    for values, part in binned.groupby(keys, sort=False):
        hits, number = float(part["is_first"].sum()), int(part["bin"].iloc[0])
        low, high = binomial_interval(round(hits), len(part))
        rows.append(
            {
                **_named(keys, values),
                "stated_from": number / N_BINS,
                "stated_to": (number + 1) / N_BINS,
                "n": len(part),
                "stated": float(part["p"].mean()),
                "observed": hits / len(part),
                "low": low,
                "high": high,
            }
        )
    # Groups as they come, bins in order: the index of the first row of a group is its place.
    table = pd.DataFrame(rows)
    place = table.groupby(keys[:-1], sort=False).ngroup()
    return table.assign(place=place).sort_values(["place", "bin"]).drop(columns="place").reset_index(drop=True)


def weekly(looks: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Compare one look at the end with weekly ones of which the first that selects counts.

    Returns
    -------
    pandas.DataFrame
        One row for each group, method, confidence and ``rule``: ``one look at the end``; ``weekly, judged that day``
        (by the true scores up to the day of the verdict); ``weekly, judged at the end`` (by those of the whole window).
        Columns as in `operating_characteristics`, and the median ``week`` of the verdicts that selected.
    """
    rules = {
        "at_end": "one look at the end",
        "sequential": "weekly, judged that day",
        "sequential_full": "weekly, judged at the end",
    }
    if looks.empty:
        return pd.DataFrame()
    parts = [
        operating_characteristics(looks.assign(result=looks[column], rule=rule), [*by, "rule"])
        for column, rule in rules.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    keys = [*by, "method", "confidence"]
    week = looks.groupby(keys)["week"].median().rename("week").reset_index()
    table = table.merge(week, on=keys)
    table["week"] = table["week"].where(table["rule"] != rules["at_end"])
    return table.sort_values(keys, kind="stable").reset_index(drop=True)


def fits(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return sizes, convergence and time of the model's fits."""
    groups = table.groupby(list(by), sort=False)
    return pd.DataFrame(
        {
            "assessments": groups.size(),
            "converged": groups["converged"].sum(),
            "incidents": groups["n_incidents"].mean().round(),
            "in_window": groups["n_window"].mean().round(),
            "share_attributed": groups["share_attributed"].mean(),
            "adjudicated": groups["n_adjudicated"].mean().round(),
            "largest_rhat": groups["max_rhat"].max(),
            "least_ess": groups["min_ess"].min(),
            "divergences": groups["divergences"].sum(),
            "seconds": groups["seconds"].median(),
        }
    ).reset_index()
