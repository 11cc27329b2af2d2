"""Draws set inside the page, as small as they can be exact: what-if figures are computed from them in the browser."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from violencescore.methodology import Methodology
from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION

MOST_BYTES = 1_700_000
"""Draws beyond this many bytes (a third more once they are text) are thinned, and the page says so."""

_COUNTS = ("uint8", "uint16", "uint32")


def embed_draws(posterior: xr.DataTree, methodology: Methodology) -> dict[str, Any]:
    """Return the draws of harm of the methodology's estimand, and of revenue and flow, as text.

    Numbers are little-endian, in the order chain, draw, organization; one text for each category, in the
    smallest of ``uint8``, ``uint16``, ``uint32`` and ``float64`` that holds its values exactly.

    Returns
    -------
    dict
        ``chains``, ``draws`` (of each chain), ``step`` (every how many-th draw is kept), ``harm`` (one
        {type, data} for each category) and ``per`` ({kind: {type, data}}).
    """
    dims = (CHAIN, DRAW, ORGANIZATION)
    harm = posterior["harms"][f"harm_{methodology.score.estimand}"].transpose(*dims, CATEGORY)
    labels = list(methodology.category_labels)
    arrays = [harm.sel({CATEGORY: label}).values for label in labels]
    revenue: dict[str, NDArray[Any]] = {}
    if "revenue" in posterior.children:
        kinds = posterior["revenue"].to_dataset().data_vars
        revenue = {str(kind): values.transpose(*dims).values for kind, values in kinds.items()}
    step = _step(sum(_packed(values).nbytes for values in (*arrays, *revenue.values())))
    kept = harm.isel({DRAW: slice(None, None, step)}).sizes
    return {
        "chains": kept[CHAIN],
        "draws": kept[DRAW],
        "step": step,
        "harm": [_text(values[:, ::step]) for values in arrays],
        "per": {kind: _text(values[:, ::step]) for kind, values in revenue.items()},
    }


def _step(n_bytes: int) -> int:
    return max(1, -(-n_bytes // MOST_BYTES))


def _packed(values: NDArray[Any]) -> NDArray[Any]:
    if values.size and values.min() >= 0:
        for kind in _COUNTS:
            if values.max() <= np.iinfo(kind).max and np.array_equal(values, values.astype(kind)):
                return values.astype(kind)
    return values.astype("float64")


def _text(values: NDArray[Any]) -> dict[str, str]:
    packed = _packed(values)
    data = np.ascontiguousarray(packed).astype(packed.dtype.newbyteorder("<")).tobytes()
    return {"type": str(packed.dtype), "data": base64.b64encode(data).decode("ascii")}
