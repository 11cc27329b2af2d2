"""The tipping share: how much of the leader's label would have to be staged for the verdict not to hold?

If the share s of what counts as k's had been done by j, k's score would be (1 - s) S_k and j's would be S_j + s S_k.
Each draw has one s at which k is no longer first; its distribution says how much the verdict bears.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from violencescore.montecarlo import FloatArray, effective_size
from violencescore.ranks import N_ERRORS
from violencescore.robustness.basis import Basis
from violencescore.robustness.findings import described


def tipping_shares(values: FloatArray, framed: int, framer: int, margin: float = 0.0) -> FloatArray:
    """Return the least share of one's score that, given to another, ends its lead, by draw (chain, draw).

    Negative where it does not lead anyway.
    """
    own = values[..., framed]
    rival = values[..., framer]
    others = np.delete(values, [framed, framer], axis=-1)
    best = others.max(axis=-1) if others.shape[-1] else np.full(own.shape, -np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        # (1 - s) own = (1 + margin) (rival + s own), and (1 - s) own = (1 + margin) best.
        to_rival = (own - (1 + margin) * rival) / ((2 + margin) * own)
        to_best = (own - (1 + margin) * best) / own
    return np.where(own > 0, np.minimum(to_rival, to_best), -np.inf)


def tipping_table(basis: Basis) -> pd.DataFrame:
    """Return the tipping share of the leader by who would have staged it.

    Returns
    -------
    pandas.DataFrame
        organization_id, framer_id, level, share (0 where the level is not reached anyway), low, high: shares at which
        P(first) is two Monte-Carlo errors above and below the level. The levels are the required confidence and one
        half.
    """
    k = basis.ids.index(basis.leader)
    rows = []
    for j, rival in enumerate(basis.ids):
        if j == k:
            continue
        found = tipping_shares(basis.values, k, j, basis.methodology.decision.margin)
        for level in (basis.confidence, 0.5):
            n = float(effective_size((found > np.quantile(found, 1 - level)).astype(float)[np.newaxis])[0])
            error = N_ERRORS * np.sqrt(level * (1 - level) / n)
            ends = (level, min(level + error, 1.0), max(level - error, 0.0))
            shares = [min(max(float(np.quantile(found, 1 - end, method="higher")), 0.0), 1.0) for end in ends]
            rows.append((basis.leader, rival, level, *shares))
    table = pd.DataFrame(rows, columns=["organization_id", "framer_id", "level", "share", "low", "high"])
    table = table.sort_values(["level", "share"], ascending=[False, True]).reset_index(drop=True)
    return described(
        table, "share of the leader's score that must be the framer's for P(first) to be the level", "draws"
    )
