"""Bases for tests of robustness: hand-made draws, and the small fit with its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from violencescore.fitting import Fit
from violencescore.methodology import Methodology, methodology_from_dict
from violencescore.robustness.basis import Basis

CATEGORIES = ["killing:police", "extortion"]


def methodology(**changes: object) -> Methodology:
    categories = [
        {"element": "killing", "victim_role": "police", "weight": 2.0},
        {"element": "extortion", "weight": 0.5},
    ]
    return methodology_from_dict({"id": "m", "version": "1", "category": categories} | changes)


def hand_made(harm: np.ndarray, revenue: np.ndarray | None = None, **changes: object) -> Basis:
    """A basis of harm draws (draw, organization, category), as two chains."""
    ids = [f"g{k}" for k in range(harm.shape[1])]
    shaped = harm.reshape(2, -1, *harm.shape[1:]).astype(float)
    dims = ("chain", "draw", "organization", "category")
    coords = {"organization": ids, "category": CATEGORIES, "name": ("organization", [i.upper() for i in ids])}
    groups = {"harms": xr.Dataset({"harm_realized": (dims, shaped), "harm_rate": (dims, shaped)}, coords=coords)}
    if revenue is not None:
        size = revenue.reshape(2, -1, harm.shape[1])
        groups["revenue"] = xr.Dataset({"revenue": (dims[:3], size)}, coords={"organization": ids})
    return Basis(xr.DataTree.from_dict(groups), methodology(**changes), {"converged": True}, seed=3)


def normal_harm(n: int = 40_000, seed: int = 5) -> np.ndarray:
    """Smooth harms of three organizations of which the first two contend (draw, organization, category)."""
    rng = np.random.default_rng(seed)
    mean = np.array([[10.0, 12.0], [9.0, 10.0], [3.0, 4.0]])
    return np.maximum(mean + rng.normal(0, 1.5, (n, 3, 2)), 0.0)


def fitted_basis(fit: Fit, folder: Path | None = None, n_refits: int = 0) -> Basis:
    """The basis of a fit, its tables at hand."""
    methodology = fit.assessment.methodology
    diagnostics = fit.diagnostics.to_json_dict({}) | {"converged": True}
    return Basis(fit.posterior, methodology, diagnostics, fit.assessment, folder, n_refits, seed=11)
