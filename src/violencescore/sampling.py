"""Model to posterior draws: nutpie's NUTS over the compiled density, with a recorded seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from violencescore.design import Design
from violencescore.methodology import Sampling
from violencescore.model.kernel import Kernel
from violencescore.model.quantities import initial_vector

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is."""

JITTER = 0.5
"""Chains set out this far (uniformly, either way) from the middle of the prior: apart, so that they can disagree."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Draws:
    """Draws of the parameter vector.

    Attributes
    ----------
    vectors
        (chain, draw, parameter).
    divergent
        Whether the transition that led to a draw diverged (chain, draw).
    steps
        Gradient evaluations of each draw (chain, draw).
    """

    vectors: npt.NDArray[np.float64]
    divergent: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]


def compile_kernel(kernel: Kernel, design: Design) -> float:
    """Compile the density, or load it from the disk cache; return the seconds it took."""
    start = time.perf_counter()
    kernel.log_density(initial_vector(kernel, design))
    return time.perf_counter() - start


def sample_posterior(
    kernel: Kernel, design: Design, sampling: Sampling, seed: int, progress: Progress = no_progress
) -> Draws:
    """Draw from the posterior with nutpie's NUTS.

    The compiled density releases the interpreter lock, so that chains run in parallel as native code would, without a
    compilation per process.

    Parameters
    ----------
    sampling
        Draws and tuning draws per chain, chains, target acceptance.
    seed
        The same seed gives the same draws on the same machine and versions; never promised across machines.
    """
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    centre = initial_vector(kernel, design)
    size = kernel.layout.size

    def initial_point(chain_seed: int) -> npt.NDArray[np.float64]:
        return centre + np.random.default_rng(chain_seed).uniform(-JITTER, JITTER, size)

    def make_expand(*_: Any) -> Callable[..., dict[str, npt.NDArray[np.float64]]]:
        return lambda vector: {"vector": np.array(vector)}

    model = from_pyfunc(
        size,
        lambda: kernel.log_density,
        make_expand,
        [np.dtype("float64")],
        [(size,)],
        ["vector"],
        make_initial_point_fn=initial_point,
    )
    total = sampling.chains * (sampling.draws + sampling.tune)

    def report(chains: Any) -> None:
        progress("sampling", sum(chain.finished_draws for chain in chains), total)

    progress("sampling", 0, total)
    sampler = nutpie.sample(
        model,
        draws=sampling.draws,
        tune=sampling.tune,
        chains=sampling.chains,
        seed=seed % 2**63,
        target_accept=sampling.target_accept,
        save_warmup=False,
        progress_bar=False,
        progress_callback=report,
        progress_rate=200,
        blocking=False,
    )
    try:
        trace = sampler.wait()
    except KeyboardInterrupt:
        sampler.abort()
        raise
    progress("sampling", total, total)
    statistics = trace["sample_stats"]
    return Draws(
        vectors=np.asarray(trace["posterior"]["vector"], dtype=np.float64),
        divergent=np.asarray(statistics["diverging"], dtype=bool),
        steps=np.asarray(statistics["n_steps"], dtype=np.int64),
    )


def extend_draws(draws: Draws, more: Draws) -> Draws:
    """Append further draws to each chain."""
    return Draws(
        vectors=np.concatenate([draws.vectors, more.vectors], axis=1),
        divergent=np.concatenate([draws.divergent, more.divergent], axis=1),
        steps=np.concatenate([draws.steps, more.steps], axis=1),
    )
