"""Records of refits made up for tests, and refits that cost nothing; importable by worker processes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from violencescore.calibration.methods import METHODS, MODEL, QUANTILES
from violencescore.calibration.plan import LEVELS, Settings, Task, code_digest

IDS = ("a", "b", "c")


def said(p_first: Mapping[str, float], scores: np.ndarray, levels: tuple[float, ...] = LEVELS) -> dict[str, Any]:
    """What a method says whose draws of the scores (draw, organization) are given; it selects above the line."""
    top = max(p_first, key=lambda key: p_first[key])
    verdicts = {
        f"{level:g}": {"outcome": "selected", "selected": top}
        if p_first[top] >= level
        else {"outcome": "no_selection", "selected": None}
        for level in levels
    }
    quantiles = np.quantile(scores, QUANTILES, axis=0).T.tolist()
    return {
        "p_first": dict(p_first),
        "n_draws": len(scores),
        "realized": dict(zip(p_first, quantiles, strict=True)),
        "rate": dict(zip(p_first, quantiles, strict=True)),
        "verdicts": verdicts,
        "converged": True,
        "max_rhat": 1.001,
        "min_ess": 900.0,
        "divergences": 0,
        "seconds": 1.0,
    }


def made_up(task: Task, *, overconfident: float = 1.0, weekly: bool = False) -> dict[str, Any]:
    """A record in which true scores and draws come from one normal posterior: calibrated, unless made overconfident.

    ``overconfident`` divides the spread of the stated draws.
    """
    rng = np.random.default_rng([task.seed, len(task.name)])
    centre = rng.normal(50, 10, len(IDS))
    true = dict(zip(IDS, rng.normal(centre, 6.0).tolist(), strict=True))

    def state(spread: float, centre: np.ndarray = centre) -> dict[str, Any]:
        scores = rng.normal(centre, spread, (2000, len(IDS)))
        first = np.bincount(scores.argmax(axis=1), minlength=len(IDS)) / len(scores)
        return said(dict(zip(IDS, first.tolist(), strict=True)), scores)

    record = {
        "task": asdict(task),
        "code_sha256": code_digest(),
        "n_incidents": int(rng.integers(100, 4000)),
        "n_window": 50,
        "share_attributed": float(rng.uniform(0.3, 0.9)),
        "n_adjudicated": int(rng.integers(0, 150)),
        "truth": true,
        "expected": true,
        "most_named": ["a"],
        "methods": {method: state(6.0 / overconfident) for method in METHODS},
        "seconds": 1.0,
    }
    if weekly:
        # Each look knows less than the last one, and says so: each by itself is calibrated, under a flat prior.
        spreads = [6.0 * (8 / week) ** 0.5 for week in range(1, 8)]
        methods = [state(spread, rng.normal(list(true.values()), spread)) for spread in spreads]
        methods.append(record["methods"][MODEL])
        record["looks"] = [
            {"week": week, "truth": true, "methods": {MODEL: said}} for week, said in enumerate(methods, start=1)
        ]
    return record


def quick_refit(task: Task, settings: Settings) -> dict[str, Any]:
    """Take a moment, and say which process did it."""
    time.sleep(0.15)
    return {**made_up(task), "pid": os.getpid()}


def fatal_refit(task: Task, settings: Settings) -> dict[str, Any]:
    """End the process: what too little memory does."""
    os._exit(1)


def failing_refit(task: Task, settings: Settings) -> dict[str, Any]:
    """Fail by a fault of the program."""
    raise ZeroDivisionError("a fault of the refit")


def foreign_refit(task: Task, settings: Settings) -> dict[str, Any]:
    """Do it by other code than that of the folder."""
    return {**made_up(task), "code_sha256": "0" * 64}
