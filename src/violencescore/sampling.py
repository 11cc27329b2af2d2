"""Model to posterior draws: nutpie's NUTS over the compiled density, with a recorded seed."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray, cfunc, types

from violencescore import beside
from violencescore.design import Design
from violencescore.methodology import Sampling
from violencescore.model.coordinates import log_volume, to_vector
from violencescore.model.kernel import Kernel, compiled_density, is_compiled
from violencescore.model.packing import unpack
from violencescore.model.pilot import find_mode, in_coordinates, sampled_point
from violencescore.model.quantities import initial_vector
from violencescore.model.signatures import BACKWARD, FORWARD, compile_each
from violencescore.model.zerosum import OPTIONS

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is."""

JITTER = 0.5
"""Chains set out this far (uniformly, either way) from the middle of the prior: apart, so that they can disagree."""

CLIMB = 50
"""Steps that each climbs from there, to where the posterior is: not all need end at the same place."""

REPORT_SECONDS = 0.02
"""How often the chains say how far they are."""


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
    log_density
        Log density of each vector up to a constant (chain, draw), without parameters that were sampled beside it.
    """

    vectors: npt.NDArray[np.float64]
    divergent: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    log_density: npt.NDArray[np.float64]


def join_draws(draws: Draws, more: Draws) -> Draws:
    """Put parameters that were sampled beside others after them; ``more`` may have further draws."""
    n = draws.vectors.shape[1]
    return Draws(
        vectors=np.concatenate([draws.vectors, more.vectors[:, :n]], axis=2),
        divergent=draws.divergent | more.divergent[:, :n],
        steps=draws.steps + more.steps[:, :n],
        log_density=draws.log_density,
    )


def compile_kernel() -> float:
    """Compile the density, or load it from the disk cache, and import the sampler; return the seconds it took.

    What is not in the cache is compiled on two cores, where there are two.
    """
    start = time.perf_counter()
    fresh = not is_compiled()
    if fresh:
        beside.start()
    for library in ("nutpie.compile_pymc", "scipy.optimize"):
        importlib.import_module(library)
    if fresh:
        compile_each(FORWARD)
        beside.wait_for(beside.GRADIENT)
        compile_each(BACKWARD)
    compiled_density()
    compiled_keep()
    return time.perf_counter() - start


def keep(n: int, n_out: int, at: Any, out: Any, words: Any) -> int:
    """Write the vector of a sampled point, as a C function: what is kept of each draw."""
    arguments = unpack(carray(words, (carray(words, (1,))[0],)))
    offset, prior, coordinates = arguments[0], arguments[2], arguments[6]
    vector, kept = to_vector(carray(at, (n,)), offset, prior, coordinates), carray(out, (n_out,))
    for i in range(n_out):
        kept[i] = vector[i]
    return 0


@cache
def compiled_keep() -> Any:
    """Compile ``keep``, or load it from the disk cache."""
    point, arguments = types.CPointer(types.double), types.CPointer(types.int64)
    signature = types.int64(types.uint64, types.uint64, point, point, arguments)
    return cfunc(signature, cache=True, error_model=OPTIONS["error_model"])(keep)


def sample_posterior(
    kernel: Kernel, design: Design, sampling: Sampling, seed: int, progress: Progress = no_progress
) -> Draws:
    """Draw ``sampling.draws`` from each chain; parameters as for ``sample_batches``."""
    return next(sample_batches(kernel, design, sampling.model_copy(update={"max_extensions": 0}), seed, progress))


def sample_batches(
    kernel: Kernel, design: Design, sampling: Sampling, seed: int, progress: Progress = no_progress
) -> Generator[Draws]:
    """Draw from the posterior with nutpie's NUTS, in batches; parameters and result as for ``sample_target``."""
    yield from sample_target(kernel_target(kernel, design), sampling, seed, progress)


def even(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log volume where the sampled points are the vectors."""
    return np.zeros(vectors.shape[:-1])


@dataclass(frozen=True)
class Target:
    """A density to draw from, as C functions.

    Attributes
    ----------
    density, keep
        Log density with its gradient, and the vector of a sampled point: compiled, with the arguments that
        ``kernel.density`` and ``keep`` have.
    words
        Their packed arguments.
    size
        Number of parameters.
    start
        Where a chain sets out, by its seed.
    volume
        Log volume of vectors (..., parameter) at their sampled points: what the density of the latter has besides.
    """

    density: Any
    keep: Any
    words: npt.NDArray[np.int64]
    size: int
    start: Callable[[int], npt.NDArray[np.float64]]
    volume: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] = even


def kernel_target(kernel: Kernel, design: Design) -> Target:
    """Return the posterior of a design in coordinates that suit it."""
    centre = initial_vector(kernel, design)
    size = kernel.layout.size
    sampled = in_coordinates(kernel, design, centre)

    def initial_point(chain_seed: int) -> npt.NDArray[np.float64]:
        rng = np.random.default_rng(chain_seed)
        climbed = find_mode(kernel, centre + rng.uniform(-JITTER, JITTER, size), CLIMB)
        # One is about the posterior's own width there.
        return sampled_point(sampled, climbed) + rng.uniform(-1.0, 1.0, size)

    offset, _, prior, _, _, _, coordinates, *_ = sampled.arguments

    def volume(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return log_volume(vectors, offset, prior, coordinates)

    return Target(compiled_density(), compiled_keep(), sampled.packed, size, initial_point, volume)


def sample_target(
    target: Target, sampling: Sampling, seed: int, progress: Progress = no_progress, stage: str = "sampling"
) -> Generator[Draws]:
    """Draw with nutpie's NUTS, in batches that continue the same chains.

    The chains run in threads of their own and call the density as a C function, which is compiled once and serves any
    data. Between batches they pause: nothing is adapted twice.

    Parameters
    ----------
    sampling
        Draws per chain in a batch, tuning draws, chains, target acceptance, and how many batches there may be beyond
        the first.
    seed
        The same seed gives the same draws on the same machine and versions; never promised across machines.
    stage
        What ``progress`` is told.

    Yields
    ------
    Draws
        All draws so far, ``sampling.draws`` more of each chain every time. Close the iterator to stop the chains.
    """
    reached = threading.Condition()
    state = {"done": 0, "slowest": 0}

    def report(chains: Any) -> None:
        with reached:
            state["done"] = sum(chain.finished_draws for chain in chains)
            state["slowest"] = min(chain.finished_draws for chain in chains)
            reached.notify()

    sampler = _start(target, sampling, seed, report)
    whole: Any = None  # the trace, once the chains have run to their end
    try:
        for batch in range(1, sampling.max_extensions + 2):
            wanted = sampling.tune + batch * sampling.draws
            total = sampling.chains * wanted
            while whole is None and state["slowest"] < wanted and not _is_finished(sampler):
                with reached:
                    reached.wait(REPORT_SECONDS)
                progress(stage, min(state["done"], total - 1), total)
            # Quick chains may have run to their end before they could pause: the batches are the same.
            if whole is None and (batch == sampling.max_extensions + 1 or _is_finished(sampler)):
                whole = sampler.wait().get_arrow_trace()
            if whole is None:
                sampler.pause()
            trace = sampler.inspect().get_arrow_trace() if whole is None else whole
            yield _draws(target, trace, batch * sampling.draws)
            if whole is None:
                sampler.resume()
    finally:
        if whole is None:
            sampler.abort()


def sample_safely(
    target: Target, sampling: Sampling, seed: int, progress: Progress = no_progress, stage: str = "sampling"
) -> Generator[Draws]:
    """Draw as ``sample_target`` does; all of them anew, with shorter steps, once some diverge."""
    for attempt in range(sampling.max_extensions + 1):
        last = attempt == sampling.max_extensions
        with closing(sample_target(target, sampling, seed + attempt, progress, stage)) as batches:
            for draws in batches:
                if draws.divergent.sum() > sampling.max_divergences and not last:
                    break
                yield draws
            else:
                return
        # Steps were too long somewhere.
        sampling = sampling.model_copy(update={"target_accept": 1.0 - (1.0 - sampling.target_accept) / 3.0})


def _start(target: Target, sampling: Sampling, seed: int, report: Callable[[Any], None]) -> Any:
    """Start nutpie's chains in the background."""
    import nutpie
    from nutpie.compile_pymc import CompiledPyMCModel

    size = target.size
    model = CompiledPyMCModel(
        compiled_logp_func=target.density,
        compiled_expand_func=target.keep,
        initial_point_func=target.start,
        shared_data={"words": target.words},
        shared_var_keys={},
        user_data=target.words,
        n_expanded=size,
        shape_info=(["vector"], [slice(0, size)], [(size,)]),
        logp_func=None,
        expand_func=None,
        dims={},
        _n_dim=size,
        _shapes={"vector": (size,)},
        _coords={},
    )
    return nutpie.sample(
        model,
        draws=sampling.draws * (sampling.max_extensions + 1),
        tune=sampling.tune,
        chains=sampling.chains,
        # All chains go on side by side, whatever the cores: a batch ends when each has its draws.
        cores=sampling.chains,
        seed=seed % 2**63,
        target_accept=sampling.target_accept,
        save_warmup=False,
        progress_bar=False,
        progress_callback=report,
        progress_rate=round(1000 * REPORT_SECONDS),
        return_raw_trace=True,
        blocking=False,
    )


def _is_finished(sampler: Any) -> bool:
    """Whether all chains are done; nutpie 0.16 answers a sampler that is not with an exception."""
    try:
        return bool(sampler.is_finished)
    except TimeoutError:
        return False


def _draws(target: Target, trace: Any, n_draws: int) -> Draws:
    """Take the first draws of each chain from nutpie's tables: as labelled arrays they would take longer."""
    chains = [_chain(draws, statistics, n_draws) for draws, statistics in zip(*trace, strict=True)]
    vectors, divergent, steps, density = (np.stack(column) for column in zip(*chains, strict=True))
    vectors = vectors.reshape(*divergent.shape, target.size)
    return Draws(
        vectors=vectors,
        divergent=divergent.astype(bool),
        steps=steps.astype(np.int64),
        log_density=density - target.volume(vectors),
    )


def _chain(draws: Any, statistics: Any, n_draws: int) -> list[npt.NDArray[Any]]:
    """Columns of the first draws of a chain (tables of Arrow), after those of tuning; that of vectors is flat."""
    import pyarrow as pa

    n_tuning = int(statistics.column("tuning").to_numpy().sum())
    columns = [draws.column("vector"), *(statistics.column(name) for name in ("diverging", "n_steps", "logp"))]
    kept = [pa.array(column).slice(n_tuning, n_draws) for column in columns]
    return [kept[0].flatten().to_numpy(), *(column.to_numpy(zero_copy_only=False) for column in kept[1:])]
