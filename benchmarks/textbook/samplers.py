"""Each sampler on one assessment: compile, then sample; draws of the named quantities, and what it cost.

``tell`` is called with the stage that begins and with how much is done, so that a run that is stopped at its limit
leaves word of how far it came. Libraries are imported inside, so that each process loads only its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from textbook.incidents import Incidents, expand_design
from textbook.scores import QUANTITIES
from violencescore.design import Design
from violencescore.methodology import Methodology
from violencescore.model.layout import LEVEL_SCALE, STAGING_MEMORY

Floats = npt.NDArray[np.float64]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Setting:
    """What every sampler gets: draws and tuning draws a chain, chains (in parallel), target acceptance, seed."""

    draws: int
    tune: int
    chains: int
    target_accept: float
    seed: int


@dataclass(frozen=True)
class Sampled:
    """Draws of the named quantities (chain, draw, ...), and what they cost.

    ``steps`` counts the gradients of the kept draws and ``divergences`` those of them that failed; ``compile`` and
    ``sample`` are seconds, the tuning within ``sample``.
    """

    draws: Mapping[str, Floats]
    steps: int
    divergences: int
    compile: float
    sample: float


def sample_violencescore(design: Design, methodology: Methodology, setting: Setting, tell: Tell) -> Sampled:
    """This package, through its public functions."""
    from violencescore.model.kernel import build_kernel
    from violencescore.model.quantities import quantities
    from violencescore.sampling import compile_kernel, sample_posterior

    start = time.perf_counter()
    kernel = build_kernel(design, methodology.priors)
    compile_kernel()
    compiled = time.perf_counter()
    tell("sampling")
    wanted = {name: getattr(setting, name) for name in ("draws", "tune", "chains", "target_accept", "seed")}
    drawn = sample_posterior(kernel, design, methodology.sampling.model_copy(update=wanted), setting.seed)
    sampled = time.perf_counter()
    named = quantities(kernel, design, drawn.vectors)
    draws = {name: named[name].to_numpy() for name in QUANTITIES}
    return Sampled(draws, int(drawn.steps.sum()), int(drawn.divergent.sum()), compiled - start, sampled - compiled)


def sample_pymc(design: Design, methodology: Methodology, setting: Setting, tell: Tell) -> Sampled:
    """Textbook PyMC under PyMC's own NUTS, chains in processes of their own."""
    import pymc as pm

    from textbook.statement_pymc import build_textbook_model

    start = time.perf_counter()
    total = setting.chains * (setting.draws + setting.tune)
    done = 0

    def count(**_: object) -> None:
        nonlocal done
        done += 1
        if done == 1 or done % max(total // 100, 1) == 0:
            tell(f"sampling {done} of {total} draws")

    trace = pm.sample(
        model=build_textbook_model(expand_design(design, methodology.priors)),
        draws=setting.draws,
        tune=setting.tune,
        chains=setting.chains,
        cores=setting.chains,
        target_accept=setting.target_accept,
        random_seed=setting.seed,
        nuts_sampler="pymc",
        progressbar=False,
        compute_convergence_checks=False,
        callback=count,
    )
    ended = time.perf_counter()
    sample = float(trace["posterior"].attrs["sampling_time"])
    return _from_tree(trace, "n_steps", ended - start - sample, sample)


def sample_nutpie(design: Design, methodology: Methodology, setting: Setting, tell: Tell) -> Sampled:
    """The same textbook PyMC model under nutpie, chains in threads."""
    import nutpie

    from textbook.statement_pymc import build_textbook_model

    start = time.perf_counter()
    model = build_textbook_model(expand_design(design, methodology.priors))
    compiled_model = nutpie.compile_pymc_model(model)
    compiled = time.perf_counter()
    tell("sampling")

    def count(chains: list[object]) -> None:
        done = sum(chain.finished_draws for chain in chains)
        tell(f"sampling {done} of {setting.chains * (setting.draws + setting.tune)} draws")

    trace = nutpie.sample(
        compiled_model,
        draws=setting.draws,
        tune=setting.tune,
        chains=setting.chains,
        cores=setting.chains,
        target_accept=setting.target_accept,
        seed=setting.seed,
        save_warmup=False,
        progress_bar=False,
        progress_callback=count,
        progress_rate=5000,
    )
    return _from_tree(trace, "n_steps", compiled - start, time.perf_counter() - compiled)


def _from_tree(trace: object, steps: str, compile_seconds: float, sample_seconds: float) -> Sampled:
    posterior, statistics = trace["posterior"], trace["sample_stats"]
    draws = {name: np.asarray(posterior[name], dtype=float) for name in QUANTITIES}
    steps_taken = int(np.asarray(statistics[steps]).sum())
    return Sampled(draws, steps_taken, int(np.asarray(statistics["diverging"]).sum()), compile_seconds, sample_seconds)


def sample_numpyro(design: Design, methodology: Methodology, setting: Setting, tell: Tell) -> Sampled:
    """Textbook NumPyro in double precision, each chain on a host device of its own."""
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={setting.chains}"
    import jax
    import numpyro
    from numpyro.infer import MCMC, NUTS

    from textbook.statement_numpyro import build_textbook_model

    numpyro.enable_x64()
    spans: list[tuple[float, float]] = []

    def note_span(event: str, begin: float, end: float, **_: object) -> None:
        if event.startswith("/jax/core/compile/"):
            spans.append((begin, end))

    jax.monitoring.register_event_time_span_listener(note_span)
    start = time.perf_counter()
    model = build_textbook_model(expand_design(design, methodology.priors))
    mcmc = MCMC(
        NUTS(model, target_accept_prob=setting.target_accept),
        num_warmup=setting.tune,
        num_samples=setting.draws,
        num_chains=setting.chains,
        chain_method="parallel",
        progress_bar=True,
    )
    tell("sampling")
    mcmc.run(jax.random.key(setting.seed), extra_fields=("num_steps", "diverging"))
    samples = mcmc.get_samples(group_by_chain=True)
    draws = {name: np.asarray(samples[name]) for name in QUANTITIES}
    elapsed = time.perf_counter() - start
    extra = mcmc.get_extra_fields(group_by_chain=True)
    steps, divergences = (int(np.asarray(extra[name]).sum()) for name in ("num_steps", "diverging"))
    compiling = _covered(spans)
    return Sampled(_with_other(draws), steps, divergences, compiling, elapsed - compiling)


def _covered(spans: list[tuple[float, float]]) -> float:
    """Length of the union of spans of time: tracing, lowering and compiling are nested."""
    total, until = 0.0, -np.inf
    for begin, end in sorted(spans):
        total += max(end - max(begin, until), 0.0)
        until = max(until, end)
    return total


def sample_stan(design: Design, methodology: Methodology, setting: Setting, tell: Tell) -> Sampled:
    """Textbook Stan through PyStan, chains in processes of their own."""
    import stan

    start = time.perf_counter()
    data = expand_design(design, methodology.priors)
    code = Path(__file__).with_name("statement.stan").read_text(encoding="utf-8")
    model = stan.build(code, data=stan_data(data), random_seed=setting.seed % 2**31)
    compiled = time.perf_counter()
    tell("sampling")
    fit = model.sample(
        num_chains=setting.chains,
        num_samples=setting.draws,
        num_warmup=setting.tune,
        delta=setting.target_accept,
        refresh=max((setting.draws + setting.tune) // 50, 1),
    )
    sampled = time.perf_counter()

    def draws_of(name: str) -> Floats:
        # PyStan gives (..., draws of all chains, interleaved).
        flat = np.moveaxis(np.asarray(fit[name], dtype=float), -1, 0)
        return np.swapaxes(flat.reshape(setting.draws, setting.chains, *flat.shape[1:]), 0, 1)

    log_rate, reach = draws_of("log_rate"), draws_of("reach_logit")
    draws = {
        "rate": np.exp(log_rate.reshape(*log_rate.shape[:2], data.n_kinds, 2, data.n_actors)),
        "presence": np.exp(draws_of("log_presence")),
        "reach": 1.0 / (1.0 + np.exp(-reach)),
        "accuracy": draws_of("accuracy"),
        "notoriety": draws_of("notoriety"),
        "false_flag": draws_of("false_flag"),
        "target": draws_of("framing"),
    }
    steps, divergences = (int(draws_of(name).sum()) for name in ("n_leapfrog__", "divergent__"))
    return Sampled(_with_other(draws), steps, divergences, compiled - start, sampled - compiled)


def _with_other(draws: dict[str, Floats]) -> dict[str, Floats]:
    """Add nobody's notoriety of ``other``, as the package has it."""
    notoriety = draws["notoriety"]
    return draws | {"notoriety": np.concatenate([notoriety, np.zeros((*notoriety.shape[:-1], 1))], axis=-1)}


def stan_data(data: Incidents) -> dict[str, object]:
    """The data block of ``statement.stan``; indices count from 1, and 0 is unknown."""
    priors = data.priors
    who = np.where(data.possible.sum(axis=1) == 1, data.possible.argmax(axis=1) + 1, 0)
    firm, forged = (np.flatnonzero(data.forgeable == forgeable) + 1 for forgeable in (False, True))
    block = {
        "N": len(data.kind),
        "J": data.n_actors,
        "C": data.n_kinds,
        "R": data.n_regions,
        "H": data.n_channels,
        "kind": data.kind + 1,
        "region": data.region + 1,
        "period": data.period + 1,
        "n_firm": len(firm),
        "n_forged": len(forged),
        "firm_channel": firm,
        "forged_channel": forged,
        "firm_evidence": data.evidence(forgeable=False),
        "forged_evidence": data.evidence(forgeable=True),
        "perpetrator": who,
        "may_be_honest": data.may_be_honest.astype(int),
        "may_be_staged": data.may_be_staged.astype(int),
        "framed": data.framed + 1,
        "accuracy_beta": data.accuracy,
        "staging_beta": data.staging,
        "days": data.days,
        "mean_level": data.mean_level,
        "chance": data.chance,
        "level_scale": LEVEL_SCALE,
        "staging_memory": STAGING_MEMORY,
        "kind_prior": priors.kind_scale,
        "presence_prior": priors.presence_scale,
        "reach_prior": priors.reach_scale,
    }
    same = (
        "level_shift_scale log_rate_scale other_scale period_scale region_scale reach_mean reach_location_scale "
        "notoriety_scale false_flag_scale target_scale scale_spread"
    )
    block |= {name: getattr(priors, name) for name in same.split()}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in block.items()}


SAMPLERS: Mapping[str, Callable[[Design, Methodology, Setting, Tell], Sampled]] = {
    "violencescore": sample_violencescore,
    "PyMC": sample_pymc,
    "PyMC, nutpie": sample_nutpie,
    "NumPyro": sample_numpyro,
    "Stan": sample_stan,
}
"""Samplers by the name that tables show; this package first."""
