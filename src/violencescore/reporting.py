"""The posterior of listing: how often each source lists an incident, and the odds that none does.

Whether a source lists an incident depends on kind, region, period and age, and given these not on the perpetrator. So
the recorded incidents of each actor in a cell are a thinned Poisson process with the rates of the main model, and the
unreported ones are another, independent of it, whose rate is that times the odds of being missed. The parameters of
listing have a posterior of their own, sampled beside the main one.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.delays import sample_arrivals
from violencescore.grouping import IntArray, ints
from violencescore.listings import (
    EDGES,
    Histories,
    Pairs,
    build_effects,
    build_pairs,
    cell_counts,
    histories_from_table,
)
from violencescore.methodology import Sampling
from violencescore.model.capture import (
    Capture,
    build_capture,
    compiled_density,
    compiled_keep,
    quadrature,
    sample_prior,
    turned,
)
from violencescore.model.listing import Listing, dependence, unlisted
from violencescore.model_options import Reporting
from violencescore.names import PERIOD, REGION
from violencescore.sampling import Draws, Progress, Target, join_draws, no_progress, sample_safely

FloatArray = npt.NDArray[np.float64]

N_NODES = 7
"""Nodes of the quadrature over visibility."""
N_ARRIVALS = 200
"""Draws of the delays that are cycled through."""
TUNE = 200
"""Tuning draws at least."""
ACCEPT = 0.8
"""Target acceptance at least."""
SOURCE, PAIR = "source", "pair"


@dataclass(frozen=True)
class ListingModel:
    """The density of listing for one set of histories.

    Attributes
    ----------
    capture
        With the reports' arrival at its mean.
    everywhere
        The same for every kind, region, period and class of age that counts, without data.
    into, days
        Entry (kind, region, period) of each of its cells, and the share of the period's days that it stands for.
    arrivals
        Draws of the share of reports that have come in (draw, class, source).
    """

    histories: Histories
    options: Reporting
    capture: Capture
    everywhere: Listing
    into: IntArray
    days: FloatArray
    arrivals: FloatArray
    pairs: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of kinds, regions, periods."""
        of = self.histories
        return len(of.kinds), len(of.regions), len(of.periods)


def build_listing_model(
    histories: Histories, options: Reporting, rng: np.random.Generator, dominance: FloatArray | None = None
) -> ListingModel:
    """Bind the density of listing to histories.

    Parameters
    ----------
    rng
        Draws the delays.
    dominance
        Share of each organization in the incidents of each region (region, organization); needed with ``by_dominant``.
    """
    arrivals = sample_arrivals(histories.delays, len(histories.sources), N_ARRIVALS, rng)
    mean = arrivals.mean(axis=0)
    dominance = dominance if options.by_dominant else None
    n_kinds, n_regions, n_periods = (len(x) for x in (histories.kinds, histories.regions, histories.periods))
    every = np.argwhere(np.ones((n_kinds, n_regions, n_periods, len(EDGES)), dtype=bool) & (histories.days > 0))
    pairs = build_pairs(histories.sources, options)
    names = tuple(
        f"{histories.sources[a]}, {histories.sources[b]}"
        for (a, b), i in sorted(zip(pairs.sources.tolist(), pairs.theta, strict=True), key=lambda x: x[1])
        if i >= 0
    )
    counts = cell_counts(histories, pairs)
    none = tuple(np.zeros((len(every), c.shape[1])) for c in counts[:2])
    fixed = (histories.sources, options, pairs, mean)
    sizes = (n_kinds, n_regions, n_periods)
    return ListingModel(
        histories=histories,
        options=options,
        capture=build_capture(_listing(*fixed, histories.cells, sizes, dominance, counts)),
        everywhere=_listing(*fixed, every, sizes, dominance, (*none, counts[2])),
        into=ints(np.ravel_multi_index(tuple(every.T[:3]), sizes)),
        days=histories.days[every[:, 2], every[:, 3]],
        arrivals=arrivals,
        pairs=names,
    )


def _listing(
    sources: Sequence[str],
    options: Reporting,
    pairs: Pairs,
    seen: FloatArray,
    cells: IntArray,
    sizes: tuple[int, int, int],
    dominance: FloatArray | None,
    counts: tuple[FloatArray, ...],
) -> Listing:
    effects = build_effects(cells, *sizes, dominance)
    n_free = int(pairs.theta.max(initial=-1)) + 1
    is_visible = options.heterogeneity > 0
    node, share = quadrature(N_NODES) if is_visible else (np.zeros(1), np.ones(1))
    stated = [getattr(options, f"{name}_scale") for name in effects.names]
    return Listing(
        sizes=ints([len(sources), len(effects.family), len(effects.names), n_free, is_visible]),
        family=effects.family,
        start=effects.start,
        column=effects.column,
        age=ints(cells[:, 3]),
        block_start=pairs.block_start,
        member=pairs.member,
        pair_start=pairs.pair_start,
        first=pairs.first,
        second=pairs.second,
        theta=pairs.theta,
        times=ints(counts[1].T),
        prior=np.array(
            [options.level_mean, options.level_scale, options.heterogeneity, options.dependence_scale, *stated]
        ),
        weight=effects.weight,
        seen=seen,
        fixed=pairs.fixed,
        listed=counts[0].T,
        both=counts[2],
        node=node,
        share=share,
        centre=np.empty(0),
        axes=np.empty(0),
    )


def sample_listing(
    model: ListingModel, sampling: Sampling, seed: int, progress: Progress = no_progress
) -> Generator[Draws]:
    """Draw the parameters of listing, in batches as the main model's are."""
    capture = turned(model.capture)

    def start(chain_seed: int) -> FloatArray:
        return np.random.default_rng(chain_seed).uniform(-1.0, 1.0, capture.size)

    target = Target(compiled_density(), compiled_keep(), capture.packed, capture.size, start)
    careful = {"tune": max(sampling.tune, TUNE), "target_accept": max(sampling.target_accept, ACCEPT)}
    sampling = sampling.model_copy(update=careful)
    yield from sample_safely(target, sampling, seed, progress, "listing")


def estimate_unreported(
    histories: pd.DataFrame,
    options: Reporting | None = None,
    *,
    seed: int = 20111222,
    draws: int = 1000,
    chains: int = 4,
    progress: Progress = no_progress,
) -> xr.DataArray:
    """Estimate how many cases lists miss, from capture histories as they are often published.

    Parameters
    ----------
    histories
        A column of 0 and 1 for each list, and ``count``: how many cases have that history.
    options
        What is assumed, as under ``[reporting]`` of a methodology; pairs of dependent lists above all.
    seed, draws, chains
        Of the sampler; draws are of each chain.

    Returns
    -------
    xarray.DataArray
        Draws of the number of all cases, listed or not (chain, draw); attributes as of ``sample_shares``.

    Raises
    ------
    InputError
        If the table is not of that kind.

    Examples
    --------
    >>> import pandas as pd, violencescore as vs
    >>> table = pd.DataFrame({"police": [1, 0, 1], "clinic": [0, 1, 1], "count": [60, 40, 30]})
    >>> total = vs.estimate_unreported(table)  # doctest: +SKIP
    """
    of = histories_from_table(histories)
    sampling = Sampling(draws=draws, chains=chains, seed=seed)
    found = sample_shares(of, Reporting() if options is None else options, sampling, progress)
    return count_cases(found, seed)


def count_cases(found: xr.Dataset, seed: int) -> xr.DataArray:
    """Draw the number of all cases (chain, draw) of lists without kinds, regions and periods.

    How many cases lie behind ``n`` that are listed has a prior that is flat in its logarithm.
    """
    share = found["listed"].isel({REGION: 0, PERIOD: 0}, drop=True)
    n, rng = found.attrs["listed"], np.random.default_rng(seed)
    missed = rng.poisson(rng.gamma(n, size=share.shape) * (1 - share.values) / share.values)
    return xr.DataArray(n + missed, dims=share.dims, name="cases", attrs=found.attrs)


def sample_shares(
    histories: Histories, options: Reporting, sampling: Sampling, progress: Progress = no_progress
) -> xr.Dataset:
    """Sample the posterior of listing alone.

    Returns
    -------
    xarray.Dataset
        As by ``listing_quantities``; attributes ``listed`` (incidents on some list), ``max_rhat`` and ``divergences``.
    """
    listed = begin_listing(histories, options, sampling, sampling.seed, None, progress)
    with closing(listed.batches):
        listed = continue_listing(listed, sampling.draws)
    vectors = listed.vectors(0, sampling.draws)
    found = listing_quantities(listed.model, vectors)
    divergences = 0 if listed.draws is None else int(listed.draws.divergent.sum())
    worst = worst_rhat(vectors)
    return found.assign_attrs(listed=int(histories.n.sum()), max_rhat=worst, divergences=divergences)


def worst_rhat(vectors: FloatArray) -> float:
    """Largest R-hat of the parameters of some draws (chain, draw, parameter)."""
    from arviz_stats import rhat

    with np.errstate(all="ignore"):  # what never moves has none
        values = rhat(xr.Dataset({"vector": (("chain", "draw", "index"), vectors)}))["vector"]
    return float(values.max(skipna=False))


@dataclass(frozen=True)
class Listed:
    """Draws of the parameters of listing, as far as they were needed; ``batches`` yields more of the same chains."""

    model: ListingModel
    batches: Generator[Draws]
    draws: Draws | None = None

    def vectors(self, first: int, last: int) -> FloatArray:
        """Draws from ``first`` to before ``last`` of each chain (chain, draw, parameter)."""
        if self.draws is None:
            raise ValueError("nothing has been drawn yet")
        return self.draws.vectors[:, first:last]

    def beside(self, draws: Draws) -> Draws:
        """Put these parameters after those of the main model."""
        return draws if self.draws is None else join_draws(draws, self.draws)


def begin_listing(
    histories: Histories,
    options: Reporting,
    sampling: Sampling,
    seed: int,
    shares: FloatArray | None = None,
    progress: Progress = no_progress,
) -> Listed:
    """Make ready to draw; ``shares`` as ``dominance`` returns them."""
    model = build_listing_model(histories, options, np.random.default_rng(seed), shares)
    return Listed(model, sample_listing(model, sampling, seed, progress))


def continue_listing(listed: Listed, n_draws: int) -> Listed:
    """Draw until each chain has ``n_draws``."""
    draws = listed.draws
    while draws is None or draws.vectors.shape[1] < n_draws:
        draws = next(listed.batches)
    return replace(listed, draws=draws)


def listed_share(model: ListingModel, vectors: FloatArray) -> FloatArray:
    """Probability that some source lists an incident by the cut-off (..., kind, region, period)."""
    flat = np.ascontiguousarray(vectors.reshape(-1, vectors.shape[-1]))
    missed = np.zeros((len(flat), int(np.prod(model.shape))))
    unlisted(flat, model.everywhere, model.arrivals, model.into, model.days, missed)
    share: FloatArray = 1.0 - missed.reshape(*vectors.shape[:-1], *model.shape)
    return np.clip(share, 1e-9, 1.0)


def missed_odds(model: ListingModel, vectors: FloatArray) -> FloatArray:
    """Odds with which an incident is not recorded (..., kind, region, period).

    Recorded incidents that no source lists are known from elsewhere: they are among those that the lists missed.
    """
    share = listed_share(model, vectors)
    known = model.histories.unlisted
    odds: FloatArray = np.maximum((1 - known) * (1 - share) / share - known, 0.0)
    return odds


def listing_quantities(model: ListingModel, vectors: FloatArray) -> xr.Dataset:
    """Return what draws (chain, draw, parameter) say of listing.

    Returns
    -------
    xarray.Dataset
        ``listed`` (region, period): share of the incidents that some source lists; ``listed_by`` (source): probability
        that a source lists an incident where nothing is out of the ordinary; ``visibility``: log odds by which
        incidents differ for all sources alike; ``dependence`` (pair): log odds ratio.
    """
    of = model.histories
    share = listed_share(model, vectors)
    n = np.full(model.shape, 0.5 / model.shape[0])
    np.add.at(n, tuple(of.cells[of.cell].T[:3]), of.n)
    total = (n / share).sum(axis=2)
    sample = ("chain", "draw")
    level = model.options.level_mean + model.options.level_scale * vectors[..., : len(of.sources)]
    data = {
        "listed": ((*sample, REGION, PERIOD), n.sum(axis=0) / total),
        "listed_by": ((*sample, SOURCE), 1.0 / (1.0 + np.exp(-level))),
    }
    if model.options.heterogeneity > 0:
        data["visibility"] = (sample, np.exp(vectors[..., -1]))
    coords = {REGION: list(of.regions), PERIOD: list(of.periods), SOURCE: list(of.sources)}
    if model.pairs:
        flat = vectors.reshape(-1, vectors.shape[-1])
        ratio = np.array([dependence(vector, model.capture.listing) for vector in flat])
        free = np.argsort(model.capture.listing.theta)[-len(model.pairs) :]
        data["dependence"] = ((*sample, PAIR), ratio[:, free].reshape(*vectors.shape[:-1], -1))
        coords[PAIR] = list(model.pairs)
    return xr.Dataset(data, coords=coords)


def prior_quantities(model: ListingModel, n_draws: int, seed: int) -> xr.Dataset:
    """Return the same before the data (chain of one, draw)."""
    return listing_quantities(model, sample_prior(model.capture, n_draws, np.random.default_rng(seed))[None])


def dominance(posterior: xr.Dataset) -> FloatArray:
    """Share of each actor in the incidents of each region, from the main model's draws (region, actor)."""
    rate = posterior["rate"].sum(["kind", PERIOD])
    weight = (rate * posterior["presence"]).mean(["chain", "draw"]).transpose(REGION, "actor").values
    share: FloatArray = weight / weight.sum(axis=1, keepdims=True)
    return share
