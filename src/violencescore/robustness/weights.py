"""Does the verdict hang on the weights? Acceptability, central weights, and how the questions here are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.acceptability import Acceptability, rank_acceptability, sample_weights
from violencescore.methodology import Methodology
from violencescore.montecarlo import Probability, estimate_probability
from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION, PANELIST, RANK
from violencescore.ranks import N_ERRORS
from violencescore.robustness.basis import Basis
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.robustness.nearest import Nearest, factor_table, nearest_weights, pair_table
from violencescore.robustness.panelists import examine_panel
from violencescore.sampling import Progress
from violencescore.scores import score_draws

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]

_SAMPLE = "sample"
REPEATS = 8
"""Sets of weights that each draw of harm is looked at with."""


def scored_harm(posterior: xr.DataTree, methodology: Methodology) -> xr.DataArray:
    """Return what the score adds up under weights of one (chain, draw, organization, category).

    Of the methodology's estimand, and divided by revenue or flow where its scores are.
    """
    labels = [str(label) for label in posterior["harms"].to_dataset()[CATEGORY].values]
    ones = xr.DataArray(np.eye(len(labels)), dims=("one", CATEGORY), coords={CATEGORY: labels})
    parts = [score_draws(posterior, methodology, weights=ones.isel(one=c)) for c in range(len(labels))]
    return xr.concat(parts, dim=CATEGORY).assign_coords({CATEGORY: labels}).transpose(..., ORGANIZATION, CATEGORY)


def sample_mixes(n_draws: int, panel: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
    """Draw weights evenly from all mixes of the panelists' own (sample, category).

    Each panelist's weights are scaled to sum to one, and the shares that they have in the mix are drawn evenly from all
    that add up to one. All that the panelists could agree on by meeting one another lies in between.
    """
    shares = panel / panel.sum(CATEGORY)
    mix = xr.DataArray(rng.dirichlet(np.ones(panel.sizes[PANELIST]), size=n_draws), dims=(_SAMPLE, PANELIST))
    mixed: xr.DataArray = xr.dot(mix, shares.drop_vars(PANELIST), dim=PANELIST)
    return mixed.transpose(_SAMPLE, CATEGORY)


def acceptability_table(
    harm: xr.DataArray, panel: xr.DataArray | None, rng: np.random.Generator, repeats: int = REPEATS
) -> pd.DataFrame:
    """Return how often each organization is first when the weights are drawn too, and the weights that put it there.

    Parameters
    ----------
    harm
        (chain, draw, organization, category).
    panel
        The panelists' weights (panelist, category), if there is a panel.
    rng
        Draws the weights.
    repeats
        Sets of weights for each draw of harm.

    Returns
    -------
    pandas.DataFrame
        weights (``all``: evenly from all that sum to one; ``panel``: from all mixes of the panel's), organization_id,
        p_first with mcse, p_first_central (P(first) under its own central weights), and central_<category>: the mean of
        the weights under which it is first. See `violencescore.acceptability`; `central_table` sets the last apart.
    """
    n = repeats * harm.sizes[CHAIN] * harm.sizes[DRAW]
    labels = [str(label) for label in harm[CATEGORY].values]
    drawn = {"all": sample_weights(n, labels, rng)}
    if panel is not None:
        drawn["panel"] = sample_mixes(n, panel.reindex({CATEGORY: labels}, fill_value=0.0), rng)
    tables = [acceptability_rows(name, harm, weights, repeats) for name, weights in drawn.items()]
    estimand = "share of worlds and weights together in which an organization is first"
    return described(pd.concat(tables, ignore_index=True), estimand, "draws")


def central_table(accepted: pd.DataFrame, weights: FloatArray, categories: Sequence[str]) -> pd.DataFrame:
    """Return the central weights of those who are ever first beside those that count, in points of 100.

    Returns
    -------
    pandas.DataFrame
        category, points (of the weights that count), and a column for each organization.
    """
    rows = accepted[(accepted["weights"] == "all") & (accepted["p_first"] > 0)]
    columns = {
        str(row["organization_id"]): [100.0 * row[f"central_{category}"] for category in categories]
        for row in rows.to_dict("records")
    }
    table = pd.DataFrame({"category": list(categories), "points": 100.0 * weights / weights.sum(), **columns})
    return described(table, "mean of all weights under which an organization is first, points of 100", "draws")


def acceptability_rows(name: str, harm: xr.DataArray, weights: xr.DataArray, repeats: int = 1) -> pd.DataFrame:
    """Return the rows of `acceptability_table` for some weights (sample, category), ``repeats`` for each draw."""
    ordered = harm.transpose(CHAIN, DRAW, ORGANIZATION, CATEGORY)
    n_chains, n_draws, n_organizations, n_categories = ordered.shape
    again = np.broadcast_to(ordered.values, (repeats, *ordered.shape)).reshape(-1, n_organizations, n_categories)
    coords = {ORGANIZATION: ordered[ORGANIZATION].values, CATEGORY: ordered[CATEGORY].values}
    repeated = xr.DataArray(again, dims=(_SAMPLE, ORGANIZATION, CATEGORY), coords=coords)
    found = rank_acceptability(repeated, weights)
    scores = np.einsum("skc,sc->sk", again, weights.values).reshape(repeats, n_chains, n_draws, n_organizations)
    top = scores == scores.max(axis=-1, keepdims=True)
    share = (top / top.sum(axis=-1, keepdims=True)).mean(axis=0)
    _, mcse = estimate_probability(share, share)
    return _as_rows(name, found, mcse)


def _as_rows(name: str, found: Acceptability, mcse: FloatArray) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "weights": name,
            "organization_id": [str(i) for i in found.rank[ORGANIZATION].values],
            "p_first": found.rank.sel({RANK: 1}).values,
            "mcse": mcse,
            "p_first_central": found.confidence.values,
        }
    )
    for category in found.central_weights[CATEGORY].values:
        table[f"central_{category}"] = found.central_weights.sel({CATEGORY: category}).values
    return table.sort_values("p_first", ascending=False, kind="stable")


def examine(basis: Basis, progress: Progress) -> Finding:
    """Answer all questions about weights from the draws."""
    leader = basis.leader
    rng = np.random.default_rng(basis.seed)
    harm = scored_harm(basis.posterior, basis.methodology)
    labels = [str(label) for label in harm[CATEGORY].values]
    weights = basis.weights.reindex({CATEGORY: labels}, fill_value=0.0).values
    flat = harm.values.reshape(-1, *harm.shape[2:])
    panel = None
    if "weights" in basis.posterior.children:
        panel = basis.posterior["weights"].to_dataset()["panel_weight"].reindex({CATEGORY: labels}, fill_value=0.0)
    progress("weights", 0, 4)
    accepted = acceptability_table(harm, panel, rng)
    progress("weights", 1, 4)
    found = nearest_weights(flat, weights, rng)
    progress("weights", 2, 4)
    plain = accepted[[column for column in accepted if not str(column).startswith("central_")]]
    tables = {
        "acceptability": described(plain.copy(), accepted.attrs["estimand"], "draws"),
        "central": central_table(accepted, weights, labels),
        "nearest": nearest_table(found, weights, labels, basis.ids),
        "pairs": pair_table(flat, weights, labels, basis.ids, basis.confidence),
        "factors": factor_table(flat, weights, labels, basis.ids, basis.confidence),
    }
    progress("weights", 3, 4)
    margins = _acceptability_margins(basis, leader, accepted)
    margins.append(_nearest_margin(basis, leader, found, weights, labels))
    notes = [_factor_note(basis, tables["factors"])]
    if panel is None:
        notes.append("There are no panel weights: nothing can be said of panelists and pools.")
    else:
        of_panel = examine_panel(basis, harm, panel)
        tables |= of_panel.tables
        margins += of_panel.margins
        notes += of_panel.notes
    progress("weights", 4, 4)
    return Finding("weights", tables, tuple(margins), tuple(notes))


def nearest_table(found: Nearest, weights: FloatArray, categories: Sequence[str], ids: Sequence[str]) -> pd.DataFrame:
    """Return the nearest weights found beside those that count, in points of 100.

    Returns
    -------
    pandas.DataFrame
        category, points, nearest, moved; empty where no weights were found that change the first.
    """
    columns = ["category", "points", "nearest", "moved"]
    table = pd.DataFrame(columns=columns)
    if np.isfinite(found.points):
        points, nearest = 100.0 * weights / weights.sum(), 100.0 * found.weights
        rows = zip(categories, points, nearest, (nearest - points).round(9), strict=True)
        table = pd.DataFrame(rows, columns=columns)
        table = table.sort_values("moved", key=np.abs, ascending=False, kind="stable").reset_index(drop=True)
    who = ids[found.first] if np.isfinite(found.points) else "nobody else"
    return described(table, f"nearest weights found under which {who} is the likeliest first, points of 100", "draws")


def _acceptability_margins(basis: Basis, leader: str, accepted: pd.DataFrame) -> list[Margin]:
    found = []
    for whose, p_first, mcse in accepted.loc[
        accepted["organization_id"] == leader, ["weights", "p_first", "mcse"]
    ].itertuples(index=False):
        p = Probability(float(p_first), float(mcse))
        of = "all weights that sum to one" if whose == "all" else "all mixes of the panelists' weights"
        said = f"With weights drawn evenly from {of}, {basis.names[leader]} is first with probability {p}."
        name = "acceptability" if whose == "all" else "panel_acceptability"
        found.append(probability_margin(name, leader, p, said))
    return found


def probability_margin(name: str, organization: str | None, p: Probability, said: str) -> Margin:
    """Return a margin that is a probability, with its interval."""
    low, high = max(p.p - N_ERRORS * p.mcse, 0.0), min(p.p + N_ERRORS * p.mcse, 1.0)
    return Margin(name, organization, p.p, low, high, p.mcse, "probability", said, "draws")


def _nearest_margin(basis: Basis, leader: str, found: Nearest, weights: FloatArray, labels: Sequence[str]) -> Margin:
    if not np.isfinite(found.points):
        said = f"No weights were found that make another the likeliest first than {basis.names[leader]}."
        return Margin("nearest_weights", leader, np.inf, np.inf, np.inf, 0.0, "points", said, "draws")
    moved = found.weights - weights / weights.sum()
    other = basis.names[basis.ids[found.first]]
    said = (
        f"Moving {found.points:.1f} of 100 points of weight would make {other} the likeliest first: most of it from "
        f"{labels[int(moved.argmin())]} to {labels[int(moved.argmax())]}."
    )
    return Margin("nearest_weights", leader, found.points, found.points, found.points, 0.0, "points", said, "draws")


def _factor_note(basis: Basis, factors: pd.DataFrame) -> str:
    alone = factors.dropna(subset=["factor"])
    if alone.empty:
        return "No one category's weight alone, whatever it is, makes another the likeliest first."
    row = alone.iloc[0]
    return (
        f"One weight alone, the others as they are: {row['category']} would have to count {row['factor']:.2g} times as "
        f"much for {basis.names[row['first']]} to be the likeliest first."
    )


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw how often each is first whatever the weights, and how far weight must move between categories."""
    from violencescore.report.robustness_figures import bars
    from violencescore.report.weighing_figures import pair_map

    accepted = finding.tables["acceptability"]
    figures = {}
    for whose, words in (("all", "all weights"), ("panel", "all mixes of the panel's weights")):
        own = accepted[accepted["weights"] == whose]
        if own.empty:
            continue
        shown = [str(Probability(p, e)) for p, e in zip(own["p_first"], own["mcse"], strict=True)]
        labels = [names.get(i, i) for i in own["organization_id"]]
        figures[f"weights-acceptability-{whose}"] = bars(
            labels, own["p_first"].tolist(), x_label=f"P(first) over {words}", texts=shown
        )
    figures["weights-pairs"] = pair_map(finding.tables["pairs"])
    if "pools" in finding.tables:
        pools = finding.tables["pools"]
        shown = [
            f"{names.get(row['leader'], row['leader'])}: {Probability(row['p_first'], row['mcse'])}"
            for row in pools.to_dict("records")
        ]
        figures["weights-pools"] = bars(
            pools["weights"].tolist(), pools["p_first"].tolist(), x_label="P(first) of the likeliest", texts=shown
        )
    return figures


PART = Part("weights", "Which weights, and which panelist, does the verdict hang on?", False, examine, draw)
