"""The density as a C function, which the sampler's own threads call: no interpreter, no lock.

Compiled when this module is imported, or loaded from the disk cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, cfunc, types

from violencescore.model.kernel import packed_density
from violencescore.model.zerosum import OPTIONS

POINT, WORDS = types.CPointer(types.double), types.CPointer(types.int64)


@cfunc(types.int64(types.uint64, POINT, POINT, POINT, WORDS), cache=True, error_model=OPTIONS["error_model"])
def native_density(n: int, at: Any, gradient: Any, value: Any, words: Any) -> int:
    """Fill value and gradient at a point of ``n`` entries; 0, or 1 where the density is zero or not finite."""
    vector = carray(at, (n,))
    total, grad = packed_density(vector, carray(words, (carray(words, (1,))[0],)))
    carray(value, (1,))[0] = total
    out = carray(gradient, (n,))
    finite = np.isfinite(total)
    for i in range(n):
        out[i] = grad[i]
        finite &= np.isfinite(grad[i])
    return 0 if finite else 1


@cfunc(types.int64(types.uint64, types.uint64, POINT, POINT, WORDS), cache=True)
def native_copy(n: int, n_out: int, at: Any, out: Any, words: Any) -> int:  # noqa: ARG001
    """Copy a point: what is kept of each draw."""
    source, target = carray(at, (n,)), carray(out, (n_out,))
    for i in range(n_out):
        target[i] = source[i]
    return 0
