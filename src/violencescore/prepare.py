"""Compile the model ahead of the first fit: ``python -m violencescore.prepare``.

What is compiled serves any assessment and stays on disk, until the package's sources change.
"""

from __future__ import annotations

import time

from violencescore.assessment import read_assessment
from violencescore.attribution import compile_attribution
from violencescore.design import build_design
from violencescore.example import example_folder
from violencescore.model.kernel import build_kernel
from violencescore.model.quantities import initial_vector, quantities
from violencescore.sampling import compile_kernel


def prepare() -> float:
    """Compile all that a fit runs, or load it from the disk cache; return the seconds it took."""
    assessment = read_assessment(example_folder())
    design = build_design(assessment)
    kernel = build_kernel(design, assessment.methodology.priors)
    start = time.perf_counter()
    compile_kernel()
    compile_attribution(kernel, design)
    quantities(kernel, design, initial_vector(kernel, design)[None, None])
    return time.perf_counter() - start


if __name__ == "__main__":
    prepare()
