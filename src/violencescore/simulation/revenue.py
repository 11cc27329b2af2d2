"""Revenue in a simulated world: what each organization earns, and what sources estimate of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from violencescore.methodology import RevenuePrior

N_SOURCES = 3
_WIDTH = 0.3


def simulate_revenue(
    ids: Sequence[str], prior: RevenuePrior, kind: str, rng: np.random.Generator
) -> tuple[pd.Series, pd.DataFrame]:
    """Draw true revenues, and the table of estimates: every source on every organization.

    On the log scale organizations spread around a common level, and each estimate is the truth plus a bias of its
    source, an error of its own, and what its (low, high) allow for, with the scales that the methodology states.

    Returns
    -------
    pandas.Series
        True revenue by organization, in millions.
    pandas.DataFrame
        Rows as the table ``revenue`` has them.
    """
    from scipy.stats import norm

    log_true = np.log(100.0) + rng.normal(0, prior.spread, len(ids))
    bias = rng.normal(0, prior.source_bias, N_SOURCES)
    error = rng.normal(0, np.hypot(prior.source_error, _WIDTH), (N_SOURCES, len(ids)))
    half = float(norm.ppf((1 + prior.interval) / 2)) * _WIDTH
    best = np.exp(log_true + bias[:, None] + error)
    rows = [
        {
            "organization_id": key,
            "source_id": f"E{s + 1}",
            "best": best[s, k],
            "low": best[s, k] * np.exp(-half),
            "high": best[s, k] * np.exp(half),
            "year": 2026,
            "kind": kind,
            "unit": "million",
        }
        for s in range(N_SOURCES)
        for k, key in enumerate(ids)
    ]
    return pd.Series(np.exp(log_true), index=list(ids), name="revenue"), pd.DataFrame(rows)
