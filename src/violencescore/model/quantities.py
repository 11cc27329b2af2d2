"""Named quantities of a parameter vector: rates, presence, reach, accuracy, notoriety, staging, targets.

One function serves posterior and prior alike, so that both are on the same scale when they are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from violencescore.design import Design
from violencescore.model import layout as lay
from violencescore.model.evidence import channels, engagement, staging
from violencescore.model.kernel import Kernel
from violencescore.model.layout import Layout
from violencescore.model.types import Array
from violencescore.model.violence import violence
from violencescore.names import CHANNEL, PERIOD, REGION

ACTOR = "actor"
KIND = "kind"


def quantities(kernel: Kernel, design: Design, vectors: npt.NDArray[np.float64]) -> xr.Dataset:
    """Return the named quantities of draws.

    Parameters
    ----------
    vectors
        Draws of the parameter vector (chain, draw, parameter).

    Returns
    -------
    xarray.Dataset
        ``rate`` (incidents per period, by kind, period, actor), ``presence`` (region, actor; sums to one over
        regions), ``reach`` (channel, actor), ``accuracy`` (channel), ``notoriety`` (channel, actor), and, where the
        methodology asks for it, ``confusion`` (channel, actor, named): whom a piece names, by who did it. Where false
        flags could show, ``false_flag`` (period, actor) and ``target`` (actor, framed); where incidents lie between
        candidates, ``engagement`` (candidate): the weight of each member of each set beside its rate.
    """
    n_chains, n_draws, _ = vectors.shape
    shapes = _shapes(kernel.layout)
    out = {name: np.zeros((n_chains * n_draws, *size)) for name, (_, size) in shapes.items()}
    offset, sizes, prior, days, chance, *_ = kernel.forward_arguments()
    for d, unit in enumerate(kernel.natural(vectors).reshape(n_chains * n_draws, -1)):
        out["rate"][d], out["presence"][d] = violence(unit, offset, sizes, prior, days)
        out["reach"][d], out["accuracy"][d], out["notoriety"][d], out["confusion"][d] = channels(
            unit, offset, sizes, prior, chance
        )
        out["false_flag"][d], out["target"][d] = staging(unit, offset, sizes, prior)
    for i, (scales, _, centre) in enumerate(lay.EFFECTS[:4]):
        block = kernel.layout.block(vectors, scales)
        if block.size:
            out["effect_scale"][:, i] = prior[centre] * np.exp(prior[lay.P_SPREAD] * block.ravel())
    absent = () if design.stages else ("false_flag", "target")
    if not kernel.layout.block(vectors, lay.CONFUSION).size:
        absent = (*absent, "confusion")
    kept = {name: out[name] for name in shapes if name not in absent}
    coords: Mapping[str, Any] = {
        ACTOR: list(design.actors),
        "framed": list(design.actors),
        "named": list(design.actors),
        KIND: list(design.kinds),
        PERIOD: list(design.periods),
        REGION: list(design.regions),
        CHANNEL: list(design.channels),
        "effect": ["organization", "period", "kind", "presence"],
    }
    data = {
        name: (("chain", "draw", *shapes[name][0]), value.reshape(n_chains, n_draws, *value.shape[1:]))
        for name, value in kept.items()
    }
    if design.engages:
        data["engagement"] = (("chain", "draw", "candidate"), _engagement(kernel, vectors))
    used = {dim for dims, _ in data.values() for dim in dims}
    return xr.Dataset(data, coords={name: value for name, value in coords.items() if name in used})


def _engagement(kernel: Kernel, vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weight of each member of each set of candidates (chain, draw, candidate), in the order of ``set_member``."""
    offset, sizes, prior, _, _, factors, *_ = kernel.forward_arguments()
    flat = vectors.reshape(-1, vectors.shape[-1])
    found = np.array([engagement(vector, offset, sizes, prior, factors.set_member) for vector in flat])
    return found.reshape(*vectors.shape[:2], -1)


def _shapes(layout: Layout) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    j, c, r, t, h = (int(n) for n in layout.sizes)
    return {
        "rate": ((KIND, PERIOD, ACTOR), (c, t, j)),
        "presence": ((REGION, ACTOR), (r, j)),
        "reach": ((CHANNEL, ACTOR), (h, j)),
        "accuracy": ((CHANNEL,), (h,)),
        "notoriety": ((CHANNEL, ACTOR), (h, j)),
        "confusion": ((CHANNEL, ACTOR, "named"), (h, j, j)),
        "false_flag": ((PERIOD, ACTOR), (t, j)),
        "target": ((ACTOR, "framed"), (j, j)),
        "effect_scale": (("effect",), (4,)),
    }


def sample_prior(kernel: Kernel, design: Design, n_draws: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw parameter vectors from the prior (1, draw, parameter): exact and independent."""
    layout = kernel.layout
    vectors: npt.NDArray[np.float64] = rng.standard_normal((1, n_draws, layout.size))
    chance = kernel.forward_arguments()[4]
    for block, beta, floor in (
        (lay.ACCURACY, design.accuracy, chance),
        (lay.STAGING, design.staging, 0.0),
    ):
        view = layout.block(vectors, block)
        for i in range(view.shape[-1]):
            share = (_beta_above(beta[i], floor, n_draws, rng) - floor) / (1 - floor)
            view[0, :, i] = np.log(share) - np.log1p(-share)
    return vectors


def _beta_above(beta: npt.NDArray[np.float64], floor: float, n: int, rng: np.random.Generator) -> Array:
    """Beta draws above ``floor``, by inversion."""
    from scipy.special import betainc, betaincinv

    below = float(betainc(beta[0], beta[1], floor))
    u = below + (1 - below) * rng.random(n)
    tiny = 1e-12
    draws: Array = np.clip(betaincinv(beta[0], beta[1], u), floor + tiny, 1 - tiny)
    return draws


def initial_vector(kernel: Kernel, design: Design) -> npt.NDArray[np.float64]:
    """A point in the middle of the prior, from which chains set out with jitter."""
    vector = np.zeros(kernel.layout.size)
    chance = kernel.forward_arguments()[4]
    for block, beta, floor in ((lay.ACCURACY, design.accuracy, chance), (lay.STAGING, design.staging, 0.0)):
        view = kernel.layout.block(vector, block)
        if view.size:
            share = np.clip((beta[:, 0] / beta.sum(axis=1) - floor) / (1 - floor), 0.01, 0.99)
            view[:] = np.log(share) - np.log1p(-share)
    return vector
