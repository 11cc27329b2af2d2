"""One run of one sampler in a process of its own: assessment in, verdict out; called by ``peers.py``."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from textbook.samplers import SAMPLERS, Setting
from textbook.scores import compared_quantities, expected_scores
from violencescore.assessment import read_assessment
from violencescore.design import build_design

PACKAGES = {
    "violencescore": ("violencescore", "nutpie", "numba"),
    "PyMC": ("pymc", "pytensor"),
    "PyMC, nutpie": ("pymc", "pytensor", "nutpie"),
    "NumPyro": ("numpyro", "jax"),
    "Stan": ("pystan", "httpstan"),
}


def versions(sampler: str) -> str:
    found = []
    for package in PACKAGES[sampler]:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} unknown")
    return " ".join([*found, f"python {sys.version.split()[0]}"])


def tell(line: str) -> None:
    print(f"stage {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sampler", choices=SAMPLERS, required=True)
    parser.add_argument("--assessment", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name in ("draws", "tune", "chains", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    tell("reading")
    assessment = read_assessment(arguments.assessment)
    methodology = assessment.methodology
    design = build_design(assessment)
    setting = Setting(
        draws=arguments.draws,
        tune=arguments.tune,
        chains=arguments.chains,
        target_accept=methodology.sampling.target_accept,
        seed=arguments.seed,
    )
    tell("compiling")
    sampled = SAMPLERS[arguments.sampler](design, methodology, setting, tell)
    tell("scoring")
    scores = expected_scores(design, methodology, sampled.draws)
    first = np.bincount(scores.argmax(axis=2).ravel(), minlength=len(design.organizations)) / scores[..., 0].size
    verdict = dict(zip(design.organizations, first.round(4).tolist(), strict=True))
    print(f"verdict {json.dumps(verdict)}", flush=True)
    compared = compared_quantities(design, scores, sampled.draws)
    facts = {
        "seconds_compile": sampled.compile,
        "seconds_sample": sampled.sample,
        "gradients": sampled.steps,
        "divergences": sampled.divergences,
        "versions": versions(arguments.sampler),
    }
    np.savez(arguments.out, facts=json.dumps(facts), names=list(compared), draws=np.array(list(compared.values())))


if __name__ == "__main__":
    main()
