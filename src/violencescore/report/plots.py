"""Figures for papers and slides: each with its title, what to conclude from it, and the numbers that it draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from violencescore.report import captions
from violencescore.report.figures import rank_heat_map, rankogram, score_intervals
from violencescore.report.what_if_figures import first_by_confidence, stretches, weight_plane_figure
from violencescore.weight_plane import build_weight_plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from violencescore.decision import Decision
    from violencescore.runs import Run
    from violencescore.weight_plane import WeightPlane


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure (matplotlib's own object), its title and caption, and the numbers behind it."""

    figure: Figure
    title: str
    caption: str
    table: pd.DataFrame


def plot_rank_heat_map(run: Run) -> Plot:
    """Draw P(rank) of every organization as a heat map."""
    decision = run.decide()
    title = "Probability of each rank"
    return Plot(rank_heat_map(decision), title, captions.heat_map_caption(decision), _ranks(decision))


def plot_rankogram(run: Run) -> Plot:
    """Draw P(rank) as bars, a panel for each organization."""
    decision = run.decide()
    return Plot(rankogram(decision), "Rankogram", captions.rankogram_caption(decision), _ranks(decision))


def plot_score_intervals(run: Run) -> Plot:
    """Draw the median and 90 % interval of every score."""
    decision = run.decide()
    columns = ["organization_id", "name", "score_median", "score_low", "score_high"]
    caption = captions.score_intervals_caption(decision)
    return Plot(score_intervals(decision), "Violence scores", caption, decision.ranking[columns])


def plot_confidence(run: Run) -> Plot:
    """Draw P(first) against the confidence that might be stated, and the verdict at each."""
    decision = run.decide()
    table = pd.DataFrame([vars(part) for part in stretches(decision)]).rename(
        columns={"low": "confidence_from", "high": "confidence_to"}
    )
    caption = captions.confidence_caption(decision)
    return Plot(first_by_confidence(decision), "The verdict by stated confidence", caption, table)


def plot_weight_plane(run: Run, categories: tuple[str, str] | None = None) -> Plot:
    """Draw who is first over two weights; see `violencescore.weight_plane.build_weight_plane`."""
    decision = run.decide()
    plane = build_weight_plane(run.posterior, run.methodology, categories)
    caption = captions.weight_plane_caption(plane, decision)
    return Plot(weight_plane_figure(plane, decision), "Who is first over two weights", caption, _cells(plane))


RUN_PLOTS: Mapping[str, Callable[[Run], Plot]] = MappingProxyType(
    {
        "rank-heat-map": plot_rank_heat_map,
        "rankogram": plot_rankogram,
        "score-intervals": plot_score_intervals,
        "confidence": plot_confidence,
        "weight-plane": plot_weight_plane,
    }
)
"""What can be drawn of a run, by the name it has on the command line."""


def _ranks(decision: Decision) -> pd.DataFrame:
    ranking = decision.ranking
    columns = [f"p_rank_{rank}" for rank in range(1, len(ranking) + 1)]
    return ranking[["organization_id", "name", *columns, "p_first_mcse", "expected_rank", "rank_low", "rank_high"]]


def _cells(plane: WeightPlane) -> pd.DataFrame:
    """Return a row for each pair of weights: the likeliest first and its probability."""
    leaders = plane.leader.ravel()
    n_x, n_y = len(plane.x), len(plane.y)
    return pd.DataFrame(
        {
            plane.categories[0]: list(plane.x) * n_y,
            plane.categories[1]: [value for value in plane.y for _ in range(n_x)],
            "first": [plane.organizations[k] for k in leaders],
            "p_first": plane.p_first.max(axis=2).ravel(),
        }
    )
