"""Score draws, and the Monte-Carlo error of what is computed from them (NumPy and xarray only)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from violencescore.names import CHAIN, DRAW, ORGANIZATION

type FloatArray = NDArray[np.float64]
type Names = Sequence[str] | Mapping[str, str]

_MIN_DRAWS = 10
"""Half-chains below five draws leave no pair of lags to look at: shorter series count as independent."""
_BLOCK = 2**22
"""Numbers held at once while autocorrelations are taken: bounds the memory at some 100 MB."""


@dataclass(frozen=True)
class ScoreDraws:
    """Checked draws of the scores of named organizations.

    Parameters
    ----------
    values
        Finite scores, (chain, draw, organization); one chain where chains are not told apart.
    ids, names
        Organization ids, and the names to show, in the order of the last axis.
    """

    values: FloatArray
    ids: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def flat(self) -> FloatArray:
        """All draws as (sample, organization)."""
        return self.values.reshape(self.n_samples, len(self.ids))

    @property
    def n_samples(self) -> int:
        """Number of draws over all chains."""
        return int(self.values.shape[0] * self.values.shape[1])


type Scores = xr.DataArray | NDArray[Any] | ScoreDraws


@dataclass(frozen=True, order=True)
class Probability:
    """A probability estimated from draws, with its Monte-Carlo standard error."""

    p: float
    mcse: float

    def __str__(self) -> str:
        return format_probability(self.p, self.mcse)


def read_scores(scores: Scores, names: Names | None = None) -> ScoreDraws:
    """Check anybody's draws and give them one shape.

    Parameters
    ----------
    scores
        A DataArray with a dimension ``organization`` and any sample dimensions (``chain`` and ``draw``,
        or ``sample``, or ``draw``), or an array (draws, organizations). Without a ``chain`` dimension the
        draws count as one chain in the order given.
    names
        For an array: the organization ids, or a mapping id -> name in the order of the columns. For a
        DataArray: a mapping id -> name; ids that it lacks are shown as their name, else their coordinate
        ``name`` along ``organization``, if there is one.

    Raises
    ------
    ValueError
        Ids missing, repeated or too few; no draws; draws that are not finite (with their number).
    """
    if isinstance(scores, ScoreDraws):
        return scores if names is None else ScoreDraws(scores.values, scores.ids, _shown(scores.ids, names))
    draws = _read_labelled(scores, names) if isinstance(scores, xr.DataArray) else _read_array(scores, names)
    _require_unique(draws.ids)
    if draws.ids:
        _require_draws(draws)
    return draws


def _read_array(scores: NDArray[Any], names: Names | None) -> ScoreDraws:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"scores have {values.ndim} dimensions; an array is (draws, organizations)")
    if names is None:
        raise ValueError("an array of scores needs names=[...], one id for each column")
    ids = tuple(str(name) for name in names)
    if len(ids) != values.shape[1]:
        raise ValueError(f"{len(ids)} names for {values.shape[1]} columns of scores")
    return ScoreDraws(np.ascontiguousarray(values)[np.newaxis], ids, _shown(ids, names))


def _read_labelled(scores: xr.DataArray, names: Names | None) -> ScoreDraws:
    if ORGANIZATION not in scores.dims:
        raise ValueError(f"scores have dimensions {scores.dims}; one must be {ORGANIZATION!r}")
    if len(scores.dims) < 2:
        raise ValueError("scores have no sample dimension such as chain and draw: nothing to count over")
    if ORGANIZATION not in scores.coords and names is None:
        raise ValueError("scores have no organization ids: give the coordinate, or names=[...]")
    labels: Any = scores[ORGANIZATION].values if ORGANIZATION in scores.coords else names
    ids = tuple(str(label) for label in labels)
    if len(ids) != scores.sizes[ORGANIZATION]:
        raise ValueError(f"{len(ids)} names for {scores.sizes[ORGANIZATION]} organizations")
    rest = [dim for dim in scores.dims if dim not in (CHAIN, DRAW, ORGANIZATION)]
    order = [dim for dim in (CHAIN, DRAW) if dim in scores.dims] + rest + [ORGANIZATION]
    n_chains = scores.sizes.get(CHAIN, 1)
    n_draws = math.prod(size for dim, size in scores.sizes.items() if dim not in (CHAIN, ORGANIZATION))
    values = np.ascontiguousarray(scores.transpose(*order).values, dtype=np.float64)
    values = values.reshape(n_chains, n_draws, len(ids))
    return ScoreDraws(values, ids, _shown(ids, _named(scores, ids) if names is None else names))


def _named(scores: xr.DataArray, ids: tuple[str, ...]) -> dict[str, str]:
    if "name" not in scores.coords or scores["name"].dims != (ORGANIZATION,):
        return {}
    return dict(zip(ids, (str(name) for name in scores["name"].values), strict=True))


def _shown(ids: tuple[str, ...], names: Names) -> tuple[str, ...]:
    if isinstance(names, Mapping):
        return tuple(str(names.get(identifier, identifier)) for identifier in ids)
    if tuple(str(name) for name in names) != ids:
        raise ValueError("these scores carry ids already: names must map each id to the name to show")
    return ids


def _require_unique(ids: tuple[str, ...]) -> None:
    repeated = sorted({identifier for identifier in ids if ids.count(identifier) > 1})
    if repeated:
        raise ValueError(f"organization ids occur more than once: {', '.join(repeated)}")


def _require_draws(draws: ScoreDraws) -> None:
    if draws.n_samples == 0:
        raise ValueError("scores hold no draws")
    bad = (~np.isfinite(draws.flat)).sum(axis=0)
    if bad.any():
        counts = ", ".join(f"{i}: {n}" for i, n in zip(draws.ids, bad, strict=True) if n)
        raise ValueError(f"scores hold draws that are not finite numbers ({counts} of {draws.n_samples})")


def estimate_probability(share: FloatArray, gap: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities of events and their Monte-Carlo standard errors.

    Parameters
    ----------
    share
        What each draw gives to the event, 0 to 1 (fractional where ties share), (chain, draw, event).
    gap
        The quantity whose sign decides the event, same shape.

    Returns
    -------
    probability, mcse
        Both (event,). ``mcse`` is never 0: see Notes.

    Notes
    -----
    The error is the standard deviation of the share over the root of its effective size. An event that
    (almost) always or never happens shows no deviation, and nothing of its own autocorrelation; the
    quantity behind it does. Where n effective draws agree, the next may still differ: under a uniform
    prior it does with probability 1 / (n + 2), and an event seen once in n has the error 1 / n. So the
    error is never less than 1 / (n + 1), with n the effective size of the gap.
    """
    spread = share.std(axis=(0, 1)) / np.sqrt(effective_size(np.moveaxis(share, -1, 0)))
    floor = 1 / (effective_size(np.moveaxis(gap, -1, 0)) + 1)
    return share.mean(axis=(0, 1)), np.maximum(spread, floor)


def effective_size(series: FloatArray) -> FloatArray:
    """Return the effective number of draws for the mean of each series.

    Split chains, Geyer's initial monotone sequence, as in Vehtari et al. (2021), "Rank-normalization,
    folding, and localization: an improved R-hat", Bayesian Analysis 16(2); but never more than the number
    of draws: chains that alternate are given no credit for it.

    Parameters
    ----------
    series
        (series, chain, draw).

    Returns
    -------
    FloatArray
        (series,), from about 1 to the number of draws; all draws for a series that never varies.
    """
    n_series, n_chains, n_draws = series.shape
    sizes = np.full(n_series, float(n_chains * n_draws))
    if n_draws < _MIN_DRAWS:
        return sizes
    halves = _split(series)
    varies = np.flatnonzero(halves.max(axis=(1, 2)) > halves.min(axis=(1, 2)))
    step = max(1, _BLOCK // (n_chains * n_draws))
    for start in range(0, len(varies), step):
        block = varies[start : start + step]
        sizes[block] /= np.maximum(_autocorrelation_time(halves[block]), 1.0)
    return sizes


def _autocorrelation_time(chains: FloatArray) -> FloatArray:
    rho = _autocorrelations(chains)
    n_pairs = (rho.shape[1] - 3) // 2
    pairs = rho[:, : 2 * n_pairs].reshape(len(rho), n_pairs, 2).sum(axis=2)
    alive = np.logical_and.accumulate(pairs >= 0, axis=1)
    total = np.where(alive, np.minimum.accumulate(pairs, axis=1), 0.0).sum(axis=1)
    # The even lag at which the sequence breaks off still counts once where it is positive.
    last = rho[np.arange(len(rho)), 2 * alive.sum(axis=1)]
    return np.asarray(2 * total - 1 + np.maximum(last, 0.0))


def _autocorrelations(chains: FloatArray) -> FloatArray:
    """Combine the chains' autocovariances into one sequence by lag: (series, chain, draw) -> (series, lag)."""
    n_draws = chains.shape[2]
    means = chains.mean(axis=2, keepdims=True)
    spectrum = np.fft.rfft(chains - means, n=2 ** math.ceil(math.log2(2 * n_draws)), axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    covariance = np.fft.irfft(power, axis=1)[:, :n_draws] / n_draws
    within = covariance[:, :1] * n_draws / (n_draws - 1)
    total = covariance[:, :1] + means[..., 0].var(axis=1, ddof=1)[:, np.newaxis]
    rho = 1 - (within - covariance) / total
    rho[:, 0] = 1.0
    return np.asarray(rho)


def _split(series: FloatArray) -> FloatArray:
    half = series.shape[-1] // 2  # the middle one of an odd number of draws belongs to neither half
    return np.concatenate((series[..., :half], series[..., -half:]), axis=-2)


def rank_rhat(chains: FloatArray) -> float:
    """Return the rank-normalized split R-hat of one quantity (Vehtari et al., 2021).

    Parameters
    ----------
    chains
        (chain, draw), at least four draws.

    Returns
    -------
    float
        About 1 where the chains agree in place and spread; 1 for a quantity that never varies, infinite
        where every half-chain stands still at a place of its own.
    """
    halves = _split(chains)
    return max(_normal_rhat(halves), _normal_rhat(np.abs(halves - np.median(halves))))


def _normal_rhat(chains: FloatArray) -> float:
    from scipy.special import ndtri

    _, places, counts = np.unique(chains, return_inverse=True, return_counts=True)
    if len(counts) == 1:
        return 1.0
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places].reshape(chains.shape)
    scores = ndtri((ranks - 0.375) / (chains.size + 0.25))
    within = float(scores.var(axis=1, ddof=1).mean())
    between = float(scores.mean(axis=1).var(ddof=1))
    n_draws = chains.shape[1]
    # Below rounding the chains do not move at all.
    return math.inf if within < 1e-12 * between else math.sqrt(between / within + (n_draws - 1) / n_draws)


def format_probability(p: float, mcse: float) -> str:
    """Write a probability with no more certainty than its Monte-Carlo error allows.

    The last digit shown is worth at least half an error. Where 0 or 1 is within one error, a bound two
    errors away is shown, since no finite number of draws can tell such a probability from certainty.

    Examples
    --------
    >>> format_probability(0.9412, 0.004)
    '0.94'
    >>> format_probability(1.0, 0.001)
    '>0.998'
    >>> format_probability(0.0, 0.001)
    '<0.002'
    """
    if not (-1e-9 <= p <= 1 + 1e-9 and mcse > 0):
        raise ValueError(f"not a probability with a positive error: {p} with {mcse}")
    digits = min(max(math.floor(-math.log10(mcse / 2) + 1e-9), 1), 4)
    text = f"{p:.{digits}f}"
    if p + mcse >= 1 or float(text) >= 1:
        return f">{_truncate(max(p - 2 * mcse, 0.0), digits, math.floor)}"
    if p - mcse <= 0 or float(text) <= 0:
        return f"<{_truncate(min(p + 2 * mcse, 1.0), digits, math.ceil)}"
    return text


def _truncate(value: float, digits: int, towards: Callable[[float], int]) -> str:
    # Rounding first keeps 0.998 from becoming 0.997 because it is stored as 0.99799999....
    return f"{towards(round(value * 10**digits, 6)) / 10**digits:.{digits}f}"
