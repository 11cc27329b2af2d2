"""Simulation-based calibration: where the truth lies among the draws, and whether it does so evenly.

If data are drawn from the model, the rank of the true value among independent posterior draws is uniform, for
every quantity, whatever the data (Talts et al. 2018, arXiv:1804.06788; Modrák et al. 2023 for quantities that depend on
the data). Evenness is judged by the simultaneous band of Säilynoja, Bürkner and Vehtari (2022, "Graphical test for
discrete uniformity and its applications in goodness-of-fit evaluation and multiple sample comparison") and by a
chi-square test.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.assessment import Assessment
from violencescore.attribution import attribute_draws
from violencescore.calibration.plan import Settings, Task, code_digest
from violencescore.calibration.prior_worlds import PriorWorld, fix_level, simulate_prior
from violencescore.calibration.refits import Record, describe
from violencescore.design import build_design
from violencescore.diagnostics import diagnose
from violencescore.fitting import build_posterior
from violencescore.model.kernel import build_kernel
from violencescore.model.quantities import quantities
from violencescore.sampling import sample_posterior
from violencescore.scores import score_draws

Array = npt.NDArray[np.float64]

N_RANKS = 199
"""Draws, thinned evenly over all chains, among which the truth is ranked."""
N_BINS = 20
BAND = 0.95
"""Chance that the curve of a sound quantity stays inside the band that is drawn."""
N_BAND_SIMULATIONS = 20_000

type Break = Callable[[Assessment], Assessment]


def intact(assessment: Assessment) -> Assessment:
    """Leave the assessment as it is: the check of the check breaks it here."""
    return assessment


def refit_prior(task: Task, settings: Settings, break_it: Break = intact) -> Record:
    """Draw parameters and data from the model, fit it, and rank every true quantity among the draws.

    Parameters
    ----------
    break_it
        Changes the assessment between simulation and refit, so that the model which is fitted is not the one that made
        the data. Then the check must fail.
    """
    start = time.perf_counter()
    world = simulate_prior(task.name, task.seed)
    assessment = break_it(world.assessment)
    methodology = assessment.methodology
    design = build_design(assessment)
    kernel = build_kernel(fix_level(design, task.name), methodology.priors)
    sampling = methodology.sampling.model_copy(update=settings.sampling)
    draws = sample_posterior(kernel, design, sampling, task.seed)
    sampled = time.perf_counter()
    attribution = attribute_draws(kernel, design, draws.vectors, task.seed)
    rng = np.random.default_rng([task.seed, 1])
    posterior = build_posterior(assessment, design, kernel, draws, attribution, rng)
    scores = score_draws(posterior, methodology, estimand="realized")
    found = posterior["posterior"].to_dataset()
    checked = diagnose(draws, scores, found, quantities(kernel, design, draws.vectors[:, :2]), sampling)
    return {
        "task": dataclasses.asdict(task),
        "code_sha256": code_digest(),
        **describe(assessment),
        "ranks": rank_truth(world, found, scores, rng),
        "p_first": {str(k): float(v) for k, v in _p_first(scores).items()},
        "truth": dict(world.scores),
        "max_rhat": float(checked.max_rhat),
        "min_ess": float(checked.min_ess),
        "divergences": int(checked.divergences),
        "seconds": time.perf_counter() - start,
        "seconds_of": {"sample": sampled - start},
    }


def rank_truth(
    world: PriorWorld, posterior: xr.Dataset, scores: xr.DataArray, rng: np.random.Generator
) -> dict[str, float]:
    """Return where each true quantity lies among the thinned draws, as a share between 0 and 1.

    The truth takes one of ``N_RANKS + 1`` places; among draws that equal it, as ranks and events often do, at random;
    inside its place at random too, so that the share is continuous and uniform where all is well.
    """
    drawn, true = ranked_quantities(posterior, scores), true_quantities(world)
    result = {}
    for name, value in true.items():
        values = thin(drawn[name])
        below, ties = int((values < value).sum()), int((values == value).sum())
        place = below + int(rng.integers(ties + 1))
        result[name] = (place + float(rng.random())) / (len(values) + 1)
    return result


def thin(values: Array) -> Array:
    """Return ``N_RANKS`` of the draws (chain, draw), evenly spaced; all of them where there are fewer."""
    flat = values.reshape(-1)
    return flat[np.linspace(0, len(flat) - 1, min(N_RANKS, len(flat))).astype(np.int64)]


def ranked_quantities(posterior: xr.Dataset, scores: xr.DataArray) -> dict[str, Array]:
    """Return the quantities that are checked, each as draws (chain, draw).

    Organizations, regions and kinds are alike a priori, so that of most parameters the first is checked, beside
    ``other``, who is not; of channels and scores all are.
    """
    first, other = str(posterior["actor"].values[0]), str(posterior["actor"].values[-1])
    second = str(posterior["actor"].values[1])
    chosen = {
        **{f"scale of {e}": posterior["effect_scale"].sel(effect=e) for e in posterior["effect"].values},
        **{f"rate of {k}": posterior["rate"].sel(actor=k, period="window").isel(kind=0) for k in (first, other)},
        **{f"presence of {k}": posterior["presence"].sel(actor=k).isel(region=0) for k in (first, other)},
    }
    for channel in posterior["channel"].values:
        chosen[f"accuracy of {channel}"] = posterior["accuracy"].sel(channel=channel)
        for k in (first, other):
            chosen[f"reach of {channel} for {k}"] = posterior["reach"].sel(channel=channel, actor=k)
        chosen[f"notoriety in {channel} of {first}"] = posterior["notoriety"].sel(channel=channel, actor=first)
    for channel in posterior["echo_of"].values if "echo" in posterior else ():
        chosen[f"echoes of {channel}"] = posterior["echo"].sel(echo_of=channel)
        chosen[f"{channel} follows"] = posterior["follow"].sel(follow_of=channel)
    if "episode" in posterior:
        chosen["repetition"] = posterior["episode"].isel(episode_of=0)
    for k in (first, other):
        chosen[f"staged share of {k}"] = posterior["false_flag"].sel(actor=k, period="window")
    chosen[f"target of {first}: {second}"] = posterior["target"].sel(actor=first, framed=second)
    drawn = {name: np.asarray(value.transpose("chain", "draw"), dtype=np.float64) for name, value in chosen.items()}
    return drawn | score_quantities(scores)


def score_quantities(scores: xr.DataArray) -> dict[str, Array]:
    """Return realized scores, ranks, the event of being first, and the margin of the first over the second."""
    values = np.asarray(scores.transpose("chain", "draw", "organization"), dtype=np.float64)
    ids = [str(k) for k in scores["organization"].values]
    above = (values[..., None, :] > values[..., :, None]).sum(axis=-1)
    level = (values[..., None, :] == values[..., :, None]).sum(axis=-1)
    rank = above + (level + 1) / 2
    ordered = np.sort(values, axis=-1)
    return {
        **{f"score of {k}": values[..., i] for i, k in enumerate(ids)},
        **{f"rank of {k}": rank[..., i] for i, k in enumerate(ids)},
        **{f"{k} is first": (above[..., i] == 0).astype(np.float64) for i, k in enumerate(ids)},
        "margin": ordered[..., -1] - ordered[..., -2],
    }


def true_quantities(world: PriorWorld) -> dict[str, float]:
    """Return the true values of the quantities, by the same names."""
    ids = list(world.scores)
    scores = xr.DataArray(
        np.array(list(world.scores.values()))[None, None, :],
        dims=("chain", "draw", "organization"),
        coords={"organization": ids},
    )
    return {name: float(value[0, 0]) for name, value in ranked_quantities(world.truth, scores).items()}


def _p_first(scores: xr.DataArray) -> Mapping[str, float]:
    values = np.asarray(scores.transpose("chain", "draw", "organization")).reshape(-1, scores.sizes["organization"])
    best = values == values.max(axis=1, keepdims=True)
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(map(str, scores["organization"].values), shares.tolist(), strict=True))


def uniformity(records: Sequence[Record]) -> pd.DataFrame:
    """Judge the evenness of every quantity over the refits.

    Returns
    -------
    pandas.DataFrame
        One row for each structure and quantity: the number of refits, the p-value of a chi-square test in ``N_BINS``
        bins, whether the curve stays inside the simultaneous 95 % band of its own, and ``passes``: inside a band so
        much wider, and a chi-square so little extreme, that all quantities of the structure together are held to 5 %
        (Bonferroni, shared between the two tests).
    """
    table = rank_frame(records)
    rows = []
    for structure, part in table.groupby("structure"):
        names = part["quantity"].unique()
        each = 0.025 / len(names)
        for name in names:
            share = part.loc[part["quantity"] == name, "share"].to_numpy()
            p_value = chi_square(share)
            rows.append(
                {
                    "structure": structure,
                    "quantity": name,
                    "n": len(share),
                    "mean": float(share.mean()),
                    "chi_square_p": p_value,
                    "inside_band": is_inside(share, BAND),
                    "passes": is_inside(share, 1 - each) and p_value > each,
                }
            )
    columns = ["structure", "quantity", "n", "mean", "chi_square_p", "inside_band", "passes"]
    return pd.DataFrame(rows, columns=columns)


def rank_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return the shares of all records: structure, seed, quantity, share."""
    rows = [
        (record["task"]["name"], record["task"]["seed"], name, share)
        for record in records
        for name, share in record["ranks"].items()
    ]
    return pd.DataFrame(rows, columns=["structure", "seed", "quantity", "share"])


def chi_square(share: Array) -> float:
    """Return the p-value of a chi-square test that shares are uniform; bins hold five or more on average."""
    from scipy.stats import chisquare

    bins = int(min(N_BINS, max(len(share) // 5, 2)))
    counts = np.histogram(share, bins=bins, range=(0.0, 1.0))[0]
    return float(chisquare(counts).pvalue)


def is_inside(share: Array, level: float) -> bool:
    """Whether the distribution of the shares stays inside the simultaneous band of a level."""
    _, curve, low, high = ecdf_band(share, level)
    return bool(((curve >= low) & (curve <= high)).all())


def ecdf_band(share: Array, level: float) -> tuple[Array, Array, Array, Array]:
    """Return points, the distribution of the shares there, and the ends of its simultaneous band."""
    from arviz_stats.ecdf_utils import compute_ecdf

    points, low, high = _band(len(share), level)
    return points, np.asarray(compute_ecdf(share, points)), low, high


@cache
def _band(n: int, level: float) -> tuple[Array, Array, Array]:
    """Simultaneous band of ``n`` shares, by ArviZ, with more simulations than it takes by default."""
    from arviz_stats.ecdf_utils import ecdf_pit

    even = (np.arange(n) + 0.5) / n
    points, _, low, high = ecdf_pit(even, level, N_BAND_SIMULATIONS, rng=np.random.default_rng(n))
    return points, low, high


def band_figure_data(records: Sequence[Record], structure: str) -> Mapping[str, Any]:
    """Return what the figure of a structure draws: for each quantity the curve less the diagonal, and its band."""
    table = rank_frame(records)
    part = table[table["structure"] == structure]
    data: dict[str, Any] = {}
    for name, group in part.groupby("quantity", sort=False):
        points, curve, low, high = ecdf_band(group["share"].to_numpy(), BAND)
        data[str(name)] = {"x": points, "y": curve - points, "low": low - points, "high": high - points}
    return data
