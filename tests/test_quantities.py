from __future__ import annotations

import numpy as np
import pytest
from design_cases import METHODOLOGY, build_case, read_case, simulated
from scipy.stats import beta, chi2, kstest, lognorm, norm, uniform

from violencescore.design import Design
from violencescore.methodology import shipped_methodology
from violencescore.model import layout as lay
from violencescore.model.effects import log_prior
from violencescore.model.kernel import Kernel
from violencescore.model.quantities import initial_vector, quantities, sample_prior

PRIORS = shipped_methodology().priors


@pytest.fixture(scope="module")
def demo() -> tuple[Design, Kernel]:
    return build_case(simulated("demo", 1, 200))


def draws_of(case: tuple[Design, Kernel], n_chains: int = 2, n_draws: int = 5) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.7, (n_chains, n_draws, case[1].layout.size))


def prior_of(case: tuple[Design, Kernel], n: int = 4000) -> np.ndarray:
    design, kernel = case
    return sample_prior(kernel, design, n, np.random.default_rng(2))


def test_every_quantity_is_labelled_and_of_its_size(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    found = quantities(kernel, design, draws_of(demo))
    sizes = {"kind": len(design.kinds), "period": 2, "actor": 7, "region": 8, "channel": 5, "framed": 7}
    dims = {
        "rate": ("kind", "period", "actor"),
        "presence": ("region", "actor"),
        "reach": ("channel", "actor"),
        "accuracy": ("channel",),
        "notoriety": ("channel", "actor"),
        "false_flag": ("period", "actor"),
        "target": ("actor", "framed"),
    }
    for name, expected in dims.items():
        assert found[name].dims == ("chain", "draw", *expected)
        assert found[name].shape == (2, 5, *(sizes[dim] for dim in expected))
    assert found["actor"].values.tolist() == list(design.actors)
    assert found["channel"].values.tolist() == list(design.channels)


def test_probabilities_are_probabilities(demo: tuple[Design, Kernel]) -> None:
    found = quantities(demo[1], demo[0], draws_of(demo))
    for name in ("presence", "reach", "accuracy", "false_flag", "target"):
        assert ((found[name] >= 0) & (found[name] <= 1)).all()
    assert np.allclose(found["presence"].sum("region"), 1)
    assert np.allclose(found["target"].sum("framed"), 1)
    assert np.allclose(found["notoriety"].sum("actor"), 1)
    assert not np.diagonal(found["target"].values, axis1=-2, axis2=-1).any()
    assert (found["notoriety"].sel(actor="other") == 0).all()
    assert (found["rate"] > 0).all()


def test_accuracies_lie_above_chance(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    vectors = draws_of(demo)
    kernel.layout.block(vectors, lay.ACCURACY)[...] = -50.0
    assert np.allclose(quantities(kernel, design, vectors)["accuracy"], 1 / 6)


def test_draws_stay_in_their_places(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    vectors = draws_of(demo)
    one = quantities(kernel, design, vectors[1:2, 3:4]).isel(chain=0, draw=0)
    assert quantities(kernel, design, vectors).isel(chain=1, draw=3).equals(one)


def test_quantities_that_the_design_lacks_are_left_out() -> None:
    given = {"organizations": ["a,A,true", "b,B,true"], "incidents": ["i,2026-07-01,r"], "harms": ["i,terror,,1,,"]}
    case = build_case(read_case(METHODOLOGY, **given))
    found = quantities(case[1], case[0], draws_of(case))
    assert {"false_flag", "target"}.isdisjoint(found.data_vars)
    assert found["reach"].shape == (2, 5, 0, 3)
    assert (found["presence"] == 1).all()


def test_at_the_middle_of_the_prior_all_actors_do_what_was_counted(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    found = quantities(kernel, design, np.zeros((1, 1, kernel.layout.size)))
    assert float(found["rate"].sum()) == pytest.approx(design.n_incidents)
    assert np.allclose(found["rate"].sel(period="window") / found["rate"].sel(period="baseline"), 56 / 181)


def test_chains_set_out_from_the_prior_means_of_accuracy_and_staging(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    found = quantities(kernel, design, initial_vector(kernel, design)[None, None]).isel(chain=0, draw=0)
    mean = design.accuracy[:, 0] / design.accuracy.sum(axis=1)
    assert np.allclose(found["accuracy"], mean)
    assert np.allclose(found["false_flag"].sel(actor="other"), design.staging[:, 0] / design.staging.sum(axis=1))
    assert np.isfinite(kernel.log_density(initial_vector(kernel, design))[0])


# The prior: draws of it, and its density


def test_prior_draws_of_accuracy_are_a_beta_above_chance(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    found = quantities(kernel, design, prior_of(demo))["accuracy"].values[0]
    for values, (a, b) in zip(found.T, design.accuracy, strict=True):
        below = beta.cdf(1 / 6, a, b)
        assert kstest(values, lambda x, a=a, b=b, below=below: (beta.cdf(x, a, b) - below) / (1 - below)).pvalue > 1e-4


def test_prior_draws_of_the_staged_share_are_a_beta(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    logits = kernel.layout.block(prior_of(demo), lay.STAGING)[0]
    for values, (a, b) in zip(logits.T, design.staging, strict=True):
        assert kstest(1 / (1 + np.exp(-values)), beta(a, b).cdf).pvalue > 1e-4


def double_centred(values: np.ndarray) -> np.ndarray:
    return (
        values
        - values.mean(axis=-1, keepdims=True)
        - values.mean(axis=-2, keepdims=True)
        + values.mean((-1, -2), keepdims=True)
    )


def test_prior_draws_of_effects_have_the_stated_spread_however_far_they_are_centred(
    demo: tuple[Design, Kernel],
) -> None:
    design, kernel = demo
    found = quantities(kernel, design, prior_of(demo)).isel(chain=0)
    log_rate = np.log(found["rate"].transpose("draw", "period", "kind", "actor").values)
    baseline, window = log_rate[:, 0], log_rate[:, 1]
    organizations = baseline.mean(axis=1)[:, :-1]
    change = (window - baseline).mean(axis=1)
    log_presence = np.log(found["presence"].transpose("draw", "region", "actor").values)
    effects = {
        "organization": (organizations - organizations.mean(axis=1, keepdims=True), PRIORS.log_rate_scale),
        "period": (change - change.mean(axis=1, keepdims=True), PRIORS.period_scale),
        "kind": (double_centred(baseline), PRIORS.kind_scale),
        "presence": (double_centred(log_presence), PRIORS.presence_scale),
    }
    for name, (values, centre) in effects.items():
        scale = found["effect_scale"].sel(effect=name).values
        assert kstest(scale, lognorm(PRIORS.scale_spread, scale=centre).cdf).pvalue > 1e-4, name
        n_free = np.prod([n - 1 for n in values.shape[1:]])
        squares = (values.reshape(len(values), -1) ** 2).sum(axis=1) / scale**2
        assert kstest(squares, chi2(n_free).cdf).pvalue > 1e-4, name


def test_prior_draws_of_reach_differ_as_stated(demo: tuple[Design, Kernel]) -> None:
    design, kernel = demo
    vectors = prior_of(demo)
    reach = quantities(kernel, design, vectors)["reach"].values[0]
    logit = np.log(reach) - np.log1p(-reach)
    deviation = logit - logit.mean(axis=-1, keepdims=True)
    scale = PRIORS.reach_scale * np.exp(PRIORS.scale_spread * kernel.layout.block(vectors, lay.REACH_SCALE)[0])
    squares = (deviation**2).sum(axis=-1) / scale**2
    for h in range(len(design.channels)):
        assert kstest(squares[:, h], chi2(len(design.actors) - 1).cdf).pvalue > 1e-4


def test_all_other_entries_of_the_prior_are_standard_normal(demo: tuple[Design, Kernel]) -> None:
    _, kernel = demo
    vectors = prior_of(demo, 1000)
    others = {lay.ACCURACY, lay.STAGING}
    for block, name in enumerate(lay.BLOCKS):
        values = kernel.layout.block(vectors, block).ravel()
        if block not in others and values.size:
            assert kstest(values, norm.cdf).pvalue > 1e-5, name


def density_along(kernel: Kernel, index: int, grid: np.ndarray) -> np.ndarray:
    """Prior density of one entry on a grid, the others at zero, scaled to integrate to one."""
    offset, _, _, table, _, chance, *_ = kernel.arguments
    vectors = np.zeros((len(grid), kernel.layout.size))
    vectors[:, index] = grid
    log_density = np.array([log_prior(v, offset, table, chance, np.zeros(len(v))) for v in vectors])
    density = np.exp(log_density - log_density.max())
    return density / np.trapezoid(density, grid)


@pytest.mark.parametrize("block", [lay.ACCURACY, lay.STAGING, lay.REACH])
def test_the_prior_density_is_that_of_its_draws(demo: tuple[Design, Kernel], block: int) -> None:
    _, kernel = demo
    index = int(kernel.layout.offset[block])
    draws = prior_of(demo)[0, :, index]
    grid = np.linspace(-30, 30, 4001)
    density = density_along(kernel, index, grid)
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    assert kstest(draws, lambda x: np.interp(x, grid, cumulative)).pvalue > 1e-4


def test_a_prior_without_knowledge_still_puts_accuracy_above_chance() -> None:
    unknowing = METHODOLOGY + "\n[channels.claim]\nforgeable = false\naccuracy = [1, 1]\n"
    given = {"organizations": ["a,A,true", "b,B,true"], "incidents": ["i,2026-07-01,r"], "harms": ["i,terror,,1,,"]}
    case = build_case(read_case(unknowing, **given, evidence=["i,claim,a,,"]))
    values = quantities(case[1], case[0], prior_of(case))["accuracy"].values.ravel()
    assert kstest(values, uniform(0.5, 0.5).cdf).pvalue > 1e-4
