"""Compile the model ahead of the first fit: ``python -m violencescore.prepare``.

What is compiled serves any assessment and stays on disk, until the package's sources change.
"""

from __future__ import annotations

import sys
import time

import pandas as pd

from violencescore import beside
from violencescore.assessment import read_assessment
from violencescore.attribution import compile_attribution
from violencescore.design import Design, build_design
from violencescore.example import example_folder
from violencescore.model.kernel import Kernel, build_kernel
from violencescore.model.quantities import initial_vector, quantities
from violencescore.model.signatures import BACKWARD, compile_each
from violencescore.reporting import estimate_unreported
from violencescore.sampling import compile_kernel, compiled_keep


def prepare() -> float:
    """Compile all that a fit runs, or load it from the disk cache; return the seconds it took.

    What estimates unreported violence is compiled by a small case of it.
    """
    kernel, design = _example()
    start = time.perf_counter()
    compile_kernel()
    compile_attribution(kernel, design)
    quantities(kernel, design, initial_vector(kernel, design)[None, None])
    estimate_unreported(pd.DataFrame({"press": [1, 0, 1], "register": [0, 1, 1], "count": [3, 2, 1]}), draws=50)
    return time.perf_counter() - start


def compile_beside() -> None:
    """Compile what another process waits for, and say so (see ``beside``)."""
    compile_each(BACKWARD)
    compiled_keep()
    print(beside.GRADIENT, flush=True)
    compile_attribution(*_example())
    print(beside.ATTRIBUTION, flush=True)


def _example() -> tuple[Kernel, Design]:
    assessment = read_assessment(example_folder())
    design = build_design(assessment)
    return build_kernel(design, assessment.methodology.priors), design


if __name__ == "__main__":
    compile_beside() if sys.argv[1:] == ["--beside"] else prepare()
