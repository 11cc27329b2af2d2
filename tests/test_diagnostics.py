from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from design_cases import simulated

from violencescore.diagnostics import Diagnostics, diagnose, identification
from violencescore.fitting import count_named, fit_assessment
from violencescore.methodology import Sampling
from violencescore.sampling import Draws

NOTHING = xr.Dataset()


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def diagnosed(
    vectors: np.ndarray, scores: np.ndarray, divergent: np.ndarray | None = None, **limits: float
) -> Diagnostics:
    if divergent is None:
        divergent = np.zeros(vectors.shape[:2], dtype=bool)
    draws = Draws(vectors, divergent, np.ones(vectors.shape[:2], dtype=np.int64), np.zeros(vectors.shape[:2]))
    coords = {"organization": [f"o{i}" for i in range(scores.shape[2])]}
    array = xr.DataArray(scores, dims=("chain", "draw", "organization"), coords=coords)
    return diagnose(draws, array, NOTHING, NOTHING, Sampling(**limits))


VECTORS, SCORES = noise(1, 4, 500, 3), noise(2, 4, 500, 2)
APART = np.arange(4.0)[:, None, None]


def test_independent_draws_have_converged() -> None:
    found = diagnosed(VECTORS, SCORES)
    assert found.converged
    assert found.reasons == ()
    assert 1.0 <= found.max_rhat < 1.01
    assert 1200 < found.min_ess < 2800
    assert (found.n_draws, found.divergences) == (2000, 0)


@pytest.mark.parametrize(("vectors", "scores"), [(VECTORS + APART, SCORES), (VECTORS, SCORES + APART)])
def test_chains_that_lie_apart_are_refused_with_a_reason(vectors: np.ndarray, scores: np.ndarray) -> None:
    found = diagnosed(vectors, scores)
    assert not found.converged
    assert "the chains disagree" in found.reasons[0]
    assert f"{found.max_rhat:.3f}" in found.reasons[0]


def test_one_parameter_out_of_many_is_enough() -> None:
    vectors = noise(3, 4, 500, 200)
    vectors[2, :, 137] += 3
    assert not diagnosed(vectors, SCORES).converged


def test_chains_that_differ_in_spread_only_are_refused() -> None:
    assert not diagnosed(VECTORS * np.array([1, 1, 1, 4.0])[:, None, None], SCORES).converged


def test_a_chain_that_drifts_is_refused_even_alone() -> None:
    drift = np.linspace(0, 3, 500)[None, :, None]
    assert diagnosed(VECTORS[:1], SCORES[:1], max_rhat=1.05).converged
    found = diagnosed(VECTORS[:1] + drift, SCORES[:1], max_rhat=1.05)
    assert any("disagree" in reason for reason in found.reasons)


def test_a_divergence_is_refused_unless_allowed() -> None:
    divergent = np.zeros((4, 500), dtype=bool)
    divergent[1, 7] = True
    found = diagnosed(VECTORS, SCORES, divergent)
    assert not found.converged
    assert found.divergences == 1
    assert "1 divergent" in found.reasons[0]
    assert diagnosed(VECTORS, SCORES, divergent, max_divergences=1).converged


def test_scores_that_hang_together_count_as_few_draws() -> None:
    slow = np.cumsum(noise(4, 4, 500, 2), axis=1) * 0.01 + noise(5, 4, 500, 2) * 0.01
    found = diagnosed(VECTORS, slow, max_rhat=10.0)
    assert found.min_ess < 100
    assert "too few independent draws" in found.reasons[0]


def test_only_the_scores_need_many_independent_draws() -> None:
    slow = np.repeat(noise(6, 4, 100, 3), 5, axis=1)
    assert diagnosed(slow, SCORES, max_rhat=1.1).converged
    assert not diagnosed(slow, slow, max_rhat=1.1, min_ess=1000).converged


def test_a_score_that_cannot_vary_is_no_obstacle() -> None:
    scores = SCORES.copy()
    scores[:, :, 0] = 7.0
    assert diagnosed(VECTORS, scores).min_ess == diagnosed(VECTORS, SCORES[:, :, 1:]).min_ess
    for constant in (np.full((4, 500, 2), 3.0), np.empty((4, 500, 0))):
        found = diagnosed(VECTORS, constant)
        assert found.converged
        assert np.isfinite(found.min_ess)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["parameter", "score"])
def test_a_draw_that_is_not_finite_never_passes(where: str, bad: float) -> None:
    vectors, scores = VECTORS.copy(), SCORES.copy()
    (vectors if where == "parameter" else scores)[0, 3, 1] = bad
    found = diagnosed(vectors, scores)
    assert not found.converged
    assert "not finite" in found.reasons[0]


def test_a_parameter_that_stands_still_never_passes() -> None:
    for values in (np.ones(4), np.arange(4.0)):
        vectors = VECTORS.copy()
        vectors[:, :, 1] = values[:, None]
        assert not diagnosed(vectors, SCORES).converged


@pytest.mark.parametrize("n_chains", [1, 2])
@pytest.mark.parametrize("n_draws", [1, 2, 3, 5])
def test_too_few_draws_to_judge_are_refused_and_can_be_written(n_chains: int, n_draws: int) -> None:
    found = diagnosed(noise(7, n_chains, n_draws, 3), noise(8, n_chains, n_draws, 2))
    assert not found.converged
    json.dumps(found.to_json_dict({"total": 1.0}), allow_nan=False)


def test_what_is_written_holds_every_figure_and_the_seconds() -> None:
    written = diagnosed(VECTORS, SCORES).to_json_dict({"sample": 2.5, "total": 3.0})
    assert written["seconds"] == {"sample": 2.5, "total": 3.0}
    assert {"converged", "max_rhat", "min_ess", "divergences", "identification", "reasons"} <= written.keys()
    assert json.loads(json.dumps(written, allow_nan=False))["converged"] is True


# Identification


def quantities_of(**values: np.ndarray) -> xr.Dataset:
    dims = {"accuracy": ("channel",), "false_flag": ("period", "actor"), "rate": ("actor",)}
    labels = {"channel": ["claim", "press"], "period": ["baseline", "window"], "actor": ["a", "other"]}
    return xr.Dataset(
        {name: (("chain", "draw", *dims[name]), value) for name, value in values.items()},
        coords={dim: labels[dim] for name in values for dim in dims[name]},
    )


def test_what_the_data_said_nothing_about_has_not_contracted() -> None:
    prior, posterior = (quantities_of(accuracy=noise(seed, 1, 20_000, 2)) for seed in (1, 2))
    assert [row["contraction"] for row in identification(posterior, prior)] == pytest.approx([0, 0], abs=0.05)
    assert [row["contraction"] for row in identification(prior, prior)] == [0.0, 0.0]


def test_what_the_data_settled_has_contracted_to_nearly_one() -> None:
    prior = quantities_of(accuracy=noise(1, 1, 4000, 2))
    posterior = quantities_of(accuracy=5 + 0.05 * noise(2, 4, 1000, 2))
    for row in identification(posterior, prior):
        assert row["contraction"] == pytest.approx(1 - 0.05**2, abs=1e-3)
        assert (row["prior_mean"], row["posterior_mean"]) == pytest.approx((0, 5), abs=0.1)
        assert (row["prior_sd"], row["posterior_sd"]) == pytest.approx((1, 0.05), rel=0.1)


def test_a_parameter_that_the_data_made_less_certain_has_a_negative_contraction() -> None:
    prior = quantities_of(accuracy=noise(1, 1, 4000, 2))
    assert identification(quantities_of(accuracy=2 * noise(2, 1, 4000, 2)), prior)[0]["contraction"] < -2


def test_rows_name_the_parameter_and_leave_out_what_was_never_in_doubt() -> None:
    prior = quantities_of(accuracy=noise(1, 1, 50, 2), false_flag=noise(2, 1, 50, 2, 2), rate=noise(3, 1, 50, 2))
    prior["false_flag"][..., 1] = 0.0
    rows = identification(prior, prior)
    assert [row["parameter"] for row in rows] == [
        "accuracy[claim]", "accuracy[press]", "false_flag[baseline, a]", "false_flag[window, a]",
    ]  # fmt: skip


def test_named_are_incidents_and_only_those_of_which_somebody_rankable_is_named() -> None:
    assessment = simulated("plain", 1, 150)
    found = count_named(assessment)
    assert 75 < found <= len(assessment.incidents)
    assert 0 < count_named(replace(assessment, evidence=assessment.evidence.iloc[:0])) < found
    nobody = assessment.organizations.assign(rankable=False)
    assert count_named(replace(assessment, organizations=nobody)) == 0
    assert count_named(simulated("dyads", 1, 150)) > 75


def test_without_a_name_the_ranking_is_the_priors_and_nothing_is_estimated() -> None:
    assessment = simulated("plain", 1, 80)
    silent = {t: getattr(assessment, t).iloc[:0] for t in ("evidence", "adjudications")}
    fit = fit_assessment(replace(assessment, **silent), 1, draws=200, chains=2)
    assert fit.decision.outcome == "not_estimable"
    assert fit.diagnostics.named == 0
    assert any("tells one organization from another" in reason for reason in fit.decision.reasons)
    # All organizations are alike in what is left.
    assert all(p.p == pytest.approx(1 / 6, abs=0.12) for p in fit.decision.p_first.values())
