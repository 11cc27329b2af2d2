"""What the lead rests on: priors, data, and the range of false flags."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from design_cases import build_case, simulated

from violencescore.assessment import read_assessment
from violencescore.errors import RefusedError
from violencescore.fitting import Fit, fit_assessment
from violencescore.model.effects import log_prior
from violencescore.model.quantities import initial_vector
from violencescore.refits import refit_band
from violencescore.report.sensitivity import sensitivity_json, sensitivity_sentences, sensitivity_view
from violencescore.sampling import Draws
from violencescore.sensitivity import (
    BAND_COLUMNS,
    LOG_LIKELIHOOD,
    LOG_PRIOR,
    PARTS,
    Sensitivity,
    _false_flag_band,
    examine_sensitivity,
    prior_parts,
)
from violencescore.simulation import simulate_world, write_simulation


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit_assessment(simulated("plain", 1, 300), 3, draws=300, tune=200, chains=4)


@pytest.mark.parametrize("world", ["plain", "dyads"])
def test_parts_and_likelihood_add_up_to_the_density(world: str) -> None:
    design, kernel = build_case(simulated(world, 1, 120))
    rng = np.random.default_rng(1)
    vectors = initial_vector(kernel, design) + rng.normal(0, 0.4, (2, 5, kernel.layout.size))
    density = np.array([[kernel.log_density(vector)[0] for vector in chain] for chain in vectors])
    none = np.zeros(density.shape, dtype=np.int64)
    found = prior_parts(kernel, design, Draws(vectors, none > 0, none, density))
    offset, _, _, beta, _, chance, *_ = kernel.arguments
    for c, d in np.ndindex(2, 5):
        vector = vectors[c, d]
        likelihood = kernel.log_density(vector)[0] - log_prior(vector, offset, beta, chance, np.zeros(len(vector)))
        difference = found[LOG_LIKELIHOOD]["incidents"].values[c, d] - likelihood
        # The constants of the Beta densities are left out of one of them: the same for all draws.
        if (c, d) == (0, 0):
            constant = difference
        assert difference == pytest.approx(constant, abs=1e-7)
    assert set(found[LOG_PRIOR].data_vars) <= set(PARTS)


def test_every_block_of_the_vector_belongs_to_one_part() -> None:
    from violencescore.model import layout as lay

    blocks = [block for among in PARTS.values() for block in among]
    assert sorted(blocks) == list(range(len(lay.BLOCKS)))


def test_the_band_at_the_prior_itself_is_the_verdict_and_wider_priors_weigh_less_soundly(fitted: Fit) -> None:
    methodology = fitted.assessment.methodology
    found = examine_sensitivity(fitted.posterior, methodology)
    band = found.band.set_index("factor")
    assert band.loc[1.0, found.leader] == pytest.approx(fitted.decision.p_first[found.leader].p, abs=1e-9)
    assert band.loc[1.0, "sound"]
    assert band["prior_mean"].is_monotonic_increasing
    ids = [i for i in band.columns if f"{i}_mcse" in band.columns]
    assert np.allclose(band[ids].sum(axis=1), 1.0)


def test_expecting_more_false_flags_gives_weight_to_draws_that_hold_more_of_them(fitted: Fit) -> None:
    rate = fitted.posterior["log_prior"].to_dataset()["staging_rate"].values[..., -1]
    many = (rate > np.median(rate)).astype(float)[..., None]
    band = _false_flag_band(fitted.posterior, fitted.assessment.methodology, many, ("many",)).set_index("factor")
    assert band.loc[0.5, "many"] < 0.45 < 0.55 < band.loc[2.0, "many"]


def test_reweighting_agrees_with_a_refit_under_the_other_prior(fitted: Fit) -> None:
    assessment = fitted.assessment
    found = examine_sensitivity(fitted.posterior, assessment.methodology).band.set_index("factor").loc[2.0]
    flags = assessment.methodology.false_flag
    other = {}
    for period in ("baseline", "window"):
        a, b = getattr(flags, period)
        other[period] = (2 * a, a + b - 2 * a)
    changed = assessment.methodology.model_copy(update={"false_flag": flags.model_copy(update=other)})
    again = fit_assessment(replace(assessment, methodology=changed), 4, draws=300, tune=200, chains=4)
    for organization, share in again.decision.p_first.items():
        error = 4 * np.hypot(share.mcse, found[f"{organization}_mcse"]) + 0.02
        assert abs(share.p - found[organization]) < error


@pytest.fixture(scope="module")
def refitted(fitted: Fit, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sensitivity, Sensitivity]:
    """The folder, and the band before and after a row that is called unsound was fitted again."""
    folder = tmp_path_factory.mktemp("refit") / "assessment"
    write_simulation(simulate_world("plain", 1, 300), folder)
    found = examine_sensitivity(fitted.posterior, fitted.assessment.methodology)
    band = found.band.assign(sound=found.band["factor"] != 2.0)
    found = replace(found, band=band)
    return folder, found, refit_band(found, folder, fitted.assessment.methodology)


def test_only_what_cannot_be_reweighted_is_fitted_again_and_agrees(
    refitted: tuple[Path, Sensitivity, Sensitivity],
) -> None:
    _, found, again = refitted
    before, after = found.band.set_index("factor"), again.band.set_index("factor")
    assert list(after.index[after["refit"]]) == [2.0]
    assert after["sound"].all()
    others = [factor for factor in before.index if factor != 2.0]
    assert after.loc[others].equals(before.loc[others])
    for i in found.band.columns[len(BAND_COLUMNS) :: 2]:
        error = 4 * np.hypot(before.loc[2.0, f"{i}_mcse"], after.loc[2.0, f"{i}_mcse"]) + 0.02
        assert abs(before.loc[2.0, i] - after.loc[2.0, i]) < error
    assert "only a refit can tell" in " ".join(sensitivity_sentences(found, {}))
    assert "refit" not in " ".join(sensitivity_sentences(again, {}))


def test_a_refit_that_does_not_converge_is_left_out(refitted: tuple[Path, Sensitivity, Sensitivity]) -> None:
    folder, found, _ = refitted
    methodology = read_assessment(folder).methodology
    hasty = methodology.sampling.model_copy(update={"draws": 20, "tune": 20, "chains": 2, "max_extensions": 0})
    again = refit_band(found, folder, methodology.model_copy(update={"sampling": hasty}))
    row = again.band.set_index("factor").loc[2.0]
    assert row["refit"]
    assert not row["sound"]
    assert "not converged" in " ".join(sensitivity_sentences(again, {}))


def exact(slope: float, categories: tuple[str, ...]) -> xr.DataTree:
    """Draws whose log prior moves the margin by a known slope, of the first category alone."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, 5000))
    margin = slope * x + rng.normal(size=x.shape)
    harms = np.zeros((*x.shape, 2, len(categories)))
    harms[..., 0] = np.stack([100 + margin, np.full_like(margin, 100.0)], axis=-1)
    group = xr.Dataset(
        {"harm_realized": (("chain", "draw", "organization", "category"), harms)},
        coords={"organization": ["a", "b"], "category": list(categories), "name": ("organization", ["A", "B"])},
    )
    prior = xr.Dataset({"rate": (("chain", "draw"), x)})
    return xr.DataTree.from_dict({"harms": group, LOG_PRIOR: prior, LOG_LIKELIHOOD: prior.rename(rate="incidents")})


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_change_for_a_doubling_is_that_of_the_exact_case(slope: float) -> None:
    """With x ~ N(0, 1) as log prior, the power 1 + e moves the mean of x by e, and the margin by slope e."""
    methodology = simulated("plain", 1, 120).methodology
    found = examine_sensitivity(exact(slope, tuple(methodology.category_labels)), methodology)
    row = found.parts.set_index("part").loc["rate"]
    sd = np.hypot(slope, 1.0)
    expected = np.log(2.0) * slope / sd / np.sqrt(2 * np.pi)
    sign = 1.0 if found.leader == "a" else -1.0
    assert row["per_doubling"] == pytest.approx(sign * expected, abs=5 * row["mcse"] + 1e-9)
    assert (row["sensitivity"] > 0.05) == (slope > 0)
    assert found.band.empty


def test_words_say_what_moves_the_lead_and_where_only_a_refit_can_tell(fitted: Fit) -> None:
    found = examine_sensitivity(fitted.posterior, fitted.assessment.methodology)
    text = " ".join(sensitivity_sentences(found, {found.leader: "[b]The Leader"}))
    assert "[b]The Leader" in text
    assert ("refit" in text) == (not found.band["sound"].all())
    assert json.loads(json.dumps(sensitivity_json(found)))["leader"] == found.leader
    assert sensitivity_view(found, {}) is not None


def test_an_organization_that_is_never_first_has_an_error_all_the_same(fitted: Fit) -> None:
    found = examine_sensitivity(fitted.posterior, fitted.assessment.methodology)
    errors = found.band[[name for name in found.band.columns if name.endswith("_mcse")]]
    assert (errors > 0).all(axis=None)


def test_draws_without_their_log_prior_are_refused(fitted: Fit) -> None:
    bare = fitted.posterior.copy()
    del bare[LOG_PRIOR]
    with pytest.raises(RefusedError, match="fit the assessment again"):
        examine_sensitivity(bare, fitted.assessment.methodology)


def test_the_command_reads_a_run_and_prints_tables_or_json(
    fitted: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from violencescore.cli import run
    from violencescore.runs import write_run

    write_run(fitted, tmp_path / "run", fitted.seconds)
    assert run(["sensitivity", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "What the lead rests on" in printed
    assert "If more or fewer false flags were expected" in printed
    assert run(["sensitivity", str(tmp_path / "run"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {row["part"] for row in answer["parts"]} >= {"data", "accuracy", "false_flag"}
    assert [row["factor"] for row in answer["band"]] == [0.25, 0.5, 1.0, 2.0, 4.0]
