"""What each figure shows, and what to conclude from it: the caption that goes wherever the figure goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from violencescore.decision import Decision
from violencescore.montecarlo import format_probability
from violencescore.report.sentences import score_name, shown_name, verdict_sentence
from violencescore.report.text import interval_text, joined, number_format, percent, worlds
from violencescore.report.what_if_figures import stretches
from violencescore.weight_plane import WeightPlane

_NAME_LIMIT = 40


def heat_map_caption(decision: Decision) -> str:
    """Say the verdict, and how to read the cells."""
    return (
        f"{verdict_sentence(decision)} Each cell is the probability that the organization of its row has the rank of "
        "its column; a row that is dark in one place is a rank that is known."
    )


def rankogram_caption(decision: Decision) -> str:
    """Say whose rank is settled, and whose is not."""
    ranking = decision.ranking
    settled = ranking[ranking["rank_low"] == ranking["rank_high"]]
    names = [shown_name(decision, key, _NAME_LIMIT) for key in settled["organization_id"]]
    if not names:
        said = "No organization's rank is settled: every 90 % interval holds more than one."
    elif len(names) == len(ranking):
        said = "Every rank is settled: each 90 % interval holds one."
    else:
        said = f"Settled to a single rank with 90 % probability: {joined(names)}; the others may have several."
    return f"{verdict_sentence(decision)} {said}"


def score_intervals_caption(decision: Decision) -> str:
    """Say how the first two compare: by their order within worlds, not by whether their intervals overlap."""
    what = f"Median and 90 % interval of the {score_name(decision)}."
    if len(decision.ranking) < 2:
        return what
    first, second = (decision.ranking.iloc[i] for i in (0, 1))
    ends = [float(row[f"score_{end}"]) for row in (first, second) for end in ("median", "low", "high")]
    shown = number_format(ends)
    keys = [str(row["organization_id"]) for row in (first, second)]
    scores = [
        f"{shown_name(decision, key, _NAME_LIMIT)} {shown.with_unit(float(row['score_median']))} "
        f"({interval_text(shown(float(row['score_low'])), shown(float(row['score_high'])))})"
        for key, row in zip(keys, (first, second), strict=True)
    ]
    pairs = decision.pairwise
    pair = pairs[(pairs["organization_id"] == keys[0]) & (pairs["other_id"] == keys[1])].iloc[0]
    reached = worlds(float(pair["p_greater"]), float(pair["mcse"]))
    return (
        f"{what} {scores[0]} scores above {scores[1]} in {reached} worlds consistent with the evidence: compare scores "
        "within worlds, as this does, not the ends of intervals, which may overlap."
    )


def confidence_caption(decision: Decision) -> str:
    """Say up to which stated confidence somebody would have been named."""
    if decision.outcome == "not_estimable" or decision.leader is None:
        return f"{verdict_sentence(decision)} No stated confidence changes that."
    name = shown_name(decision, decision.leader, _NAME_LIMIT)
    parts = {part.outcome: part for part in stretches(decision)}
    said = []
    if "selected" in parts:
        said.append(f"{name} is named at any stated confidence up to {parts['selected'].high:g}")
    else:
        said.append("Nobody is named at any stated confidence above 0.5")
    if "extend" in parts:
        said.append(f"more weeks are asked for up to {parts['extend'].high:g}")
    if "no_selection" in parts:
        said.append(f"nobody is named from {parts['no_selection'].low:g} on" if said[0].startswith(name) else "")
    sentence = "; ".join(part for part in said if part)
    return (
        f"{sentence}. The confidence that was stated beforehand is {decision.confidence_required:g}. Bands are two "
        "Monte-Carlo errors on either side."
    )


def weight_plane_caption(plane: WeightPlane, decision: Decision) -> str:
    """Say how far each of the two weights may move before another is first, the other left as it is."""
    row, column = (
        int(np.abs(v - w).argmin()) for v, w in ((plane.y, plane.published[1]), (plane.x, plane.published[0]))
    )
    leaders = plane.leader
    here = int(leaders[row, column])
    name = shown_name(decision, plane.organizations[here], _NAME_LIMIT)
    share = float((leaders == here).mean())
    moves = (
        _move(decision, plane, plane.categories[0], plane.x, leaders[row], column),
        _move(decision, plane, plane.categories[1], plane.y, leaders[:, column], row),
    )
    key = plane.organizations[here]
    p = format_probability(float(plane.p_first[row, column, here]), decision.p_first[key].mcse)
    where = "everywhere in" if share == 1 else f"over {min(max(round(100 * share), 1), 99)} % of"
    return (
        f"{name} is the likeliest first {where} this plane of two weights, all others as published; at the cross, the "
        f"weights that count, with probability {p}. {' '.join(moves)} In full colour the likeliest reaches "
        f"{percent(decision.confidence_required)}; where it is pale it does not, and nobody would be named. "
        f"{plane.n_draws:,} draws, the same everywhere."
    )


def _move(
    decision: Decision, plane: WeightPlane, category: str, values: np.ndarray, leaders: np.ndarray, at: int
) -> str:
    """Say the nearest values of one weight, below and above the published one, at which another leads."""
    others = np.flatnonzero(leaders != leaders[at])
    if not len(others):
        return f"No weight of {category} between 0 and {values[-1]:.3g} puts another first."
    nearest = [part[np.abs(part - at).argmin()] for part in (others[others < at], others[others > at]) if len(part)]
    said = [
        f"at {values[i]:.2g} {shown_name(decision, plane.organizations[int(leaders[i])], _NAME_LIMIT)}" for i in nearest
    ]
    return f"With the weight of {category} {joined(said, 'or')} would be, in place of the published {values[at]:.3g}."


def reliability_caption(table: pd.DataFrame) -> str:
    """Say in which bins a stated P(first) did not come true as often as it said, beyond chance."""
    model = table[table["method"] == "model"]
    off = model[(model["stated"] < model["low"]) | (model["stated"] > model["high"])]
    n_worlds, n_bins = model["world"].nunique(), len(model)
    expected = 0.05 * n_bins
    over = _counted(n_worlds, "world")
    said = (
        f"In {n_bins - len(off)} of {n_bins} groups of statements (ten steps of P(first), {over}) "
        "what the model stated lies within the 95 % interval of how often it came true; chance alone would leave out "
        f"about {expected:.0f}."
    )
    if len(off):
        said += f" Outside: {joined(_bins(off))}."
    return f"{said} On the diagonal a stated probability is worth what it says; below it, it claims too much."


def _bins(off: pd.DataFrame, limit: int = 6) -> Sequence[str]:
    shown = [
        f"{row['world']} {row['stated_from']:g} to {row['stated_to']:g} (stated {row['stated']:.2f}, came true "
        f"{row['observed']:.2f})"
        for row in off.head(limit).to_dict("records")
    ]
    return shown if len(off) <= limit else [*shown, f"{len(off) - limit} more"]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
