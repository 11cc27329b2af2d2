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
from violencescore.model.evidence import channels, engagement
from violencescore.model.given import share_priors
from violencescore.model.kernel import Kernel
from violencescore.model.layout import Layout
from violencescore.model.staging import staging
from violencescore.model.types import Array
from violencescore.model.violence import violence
from violencescore.names import CHANNEL, PERIOD, REGION

ACTOR = "actor"
KIND = "kind"
STRATUM = "stratum"

SHARES = {"echo": lay.ECHO, "follow": lay.FOLLOW, "old_name": lay.KIN, "kept": lay.KEPT, "episode": lay.EPISODE}
"""Quantities that are shares with a Beta prior and no other structure, and their blocks."""


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
        methodology asks for it, ``confusion`` (channel, actor, named): whom a piece names, by who did it; the shares
        ``echo``, ``follow``, ``old_name``, ``kept`` and ``episode``, as far as the model has them. Where false flags
        could show, ``false_flag`` (period, or stratum of staging; actor) and ``target`` (actor, framed); where
        incidents lie between candidates, ``engagement`` (candidate): the weight of each member of each set beside its
        rate.
    """
    n_chains, n_draws, _ = vectors.shape
    shapes = _shapes(kernel.layout)
    out = {name: np.zeros((n_chains * n_draws, *size)) for name, (_, size) in shapes.items()}
    offset, sizes, prior, given, chance, factors, *_ = kernel.forward_arguments()
    for d, unit in enumerate(kernel.natural(vectors).reshape(n_chains * n_draws, -1)):
        out["rate"][d], out["presence"][d] = violence(
            unit, offset, sizes, prior, given.exposure, factors.heir, factors.elder
        )
        out["reach"][d], out["accuracy"][d], out["notoriety"][d], out["confusion"][d] = channels(
            unit, offset, sizes, prior, chance, factors.heir, factors.elder
        )
        out["false_flag"][d], out["target"][d] = staging(unit, offset, sizes, prior, given.rivalry)
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
        STRATUM: list(design.strata),
        REGION: list(design.regions),
        CHANNEL: list(design.channels),
        "effect": ["organization", "period", "kind", "presence"],
    }
    data = {
        name: (("chain", "draw", *shapes[name][0]), value.reshape(n_chains, n_draws, *value.shape[1:]))
        for name, value in kept.items()
    }
    for name, number in SHARES.items():
        if (logits := kernel.layout.block(vectors, number)).size:
            data[name] = (("chain", "draw", name + "_of"), 1.0 / (1.0 + np.exp(-logits)))
    coords = {
        **coords,
        "echo_of": list(design.echoing),
        "follow_of": list(design.echoing),
        "old_name_of": [design.actors[k] for k in design.kin[:, 0]],
        "kept_of": [design.actors[k] for k in design.kin[:, 1]],
        "episode_of": list(design.bond_names),
    }
    if STRATUM in used_dims(data) and design.strata == design.periods:
        data["false_flag"] = (("chain", "draw", PERIOD, ACTOR), data["false_flag"][1])
    if design.engages:
        data["engagement"] = (("chain", "draw", "candidate"), _engagement(kernel, vectors))
    used = used_dims(data)
    return xr.Dataset(data, coords={name: value for name, value in coords.items() if name in used})


def used_dims(data: Mapping[str, tuple[tuple[str, ...], Any]]) -> set[str]:
    """Return the dimensions that some variable has."""
    return {dim for dims, _ in data.values() for dim in dims}


def _engagement(kernel: Kernel, vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weight of each member of each set of candidates (chain, draw, candidate), in the order of ``set_member``."""
    offset, sizes, prior, _, _, factors, *_ = kernel.forward_arguments()
    flat = vectors.reshape(-1, vectors.shape[-1])
    found = np.array([engagement(vector, offset, sizes, prior, factors.set_member) for vector in flat])
    return found.reshape(*vectors.shape[:2], -1)


def _shapes(layout: Layout) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    j, c, r, t, h, s = (int(n) for n in layout.sizes)
    return {
        "rate": ((KIND, PERIOD, ACTOR), (c, t, j)),
        "presence": ((REGION, ACTOR), (r, j)),
        "reach": ((CHANNEL, ACTOR), (h, j)),
        "accuracy": ((CHANNEL,), (h,)),
        "notoriety": ((CHANNEL, ACTOR), (h, j)),
        "confusion": ((CHANNEL, ACTOR, "named"), (h, j, j)),
        "false_flag": ((STRATUM, ACTOR), (s, j)),
        "target": ((ACTOR, "framed"), (j, j)),
        "effect_scale": (("effect",), (4,)),
    }


def sample_prior(kernel: Kernel, design: Design, n_draws: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw parameter vectors from the prior (1, draw, parameter): exact and independent."""
    layout = kernel.layout
    vectors: npt.NDArray[np.float64] = rng.standard_normal((1, n_draws, layout.size))
    for block, beta, floor in share_priors(design):
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
    for block, beta, floor in share_priors(design):
        view = kernel.layout.block(vector, block)
        if view.size:
            share = np.clip((beta[:, 0] / beta.sum(axis=1) - floor) / (1 - floor), 0.01, 0.99)
            view[:] = np.log(share) - np.log1p(-share)
    return vector
