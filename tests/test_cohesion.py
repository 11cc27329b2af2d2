"""How much of the violence sub-units have in common: against known variances, and honest where there is little to see."""

import numpy as np
import pytest
import xarray as xr
from unit_cases import hand_made, read_units, with_units

from violencescore.cohesion import PRIOR_VARIANCE, measure_cohesion, sample_shares
from violencescore.levels import build_level, level_groups

NAMES = {"a": "Alpha", "a1": "North", "a2": "South", "b": "Beta", "c": "Gamma"}


def rates(share: float, sizes: list[int], rng: np.random.Generator, spread: float = 1.0):
    group = np.repeat(np.arange(len(sizes)), sizes)
    between, within = spread * np.sqrt([share, 1 - share])
    return group, rng.normal(0, between, len(sizes))[group] + rng.normal(0, within, len(group))


def test_the_interval_covers_the_share_as_often_as_it_says() -> None:
    """With a share drawn from the prior, 90 % of the 90 % intervals hold it: the posterior is calibrated."""
    rng = np.random.default_rng(1)
    shares, n_draws, sizes = rng.random(300), 39, [3, 2, 2, 4, 1, 3]
    spreads = np.abs(np.tan(np.pi / 2 * rng.random(300)))
    worlds = [rates(share, sizes, rng, spread)[1] for share, spread in zip(shares, spreads, strict=True)]
    drawn = sample_shares(np.repeat(worlds, n_draws, axis=0), np.repeat(np.arange(6), sizes), rng)
    below = (drawn.reshape(300, n_draws) < shares[:, None]).sum(axis=1)  # 0 to 39, each as likely as any other
    assert np.mean((below >= 2) & (below <= 37)) == pytest.approx(0.9, abs=0.05)
    assert np.mean(below) == pytest.approx(19.5, abs=2.0)


@pytest.mark.parametrize("share", [0.05, 0.95])
def test_many_sub_units_tell_a_chain_of_command_from_none(share: float) -> None:
    rng = np.random.default_rng(2)
    group, values = rates(share, [8] * 20, rng)
    found = sample_shares(np.tile(values, (2000, 1)), group, rng)
    assert abs(found.mean() - share) < 0.1
    assert 1 - found.var() / PRIOR_VARIANCE > 0.9


def test_two_sub_units_leave_the_prior_nearly_as_it_was() -> None:
    rng = np.random.default_rng(3)
    group, values = rates(0.5, [2, 1], rng)
    found = sample_shares(np.tile(values, (4000, 1)), group, rng)
    assert 1 - found.var() / PRIOR_VARIANCE < 0.35


def test_uncertain_rates_widen_the_share() -> None:
    rng = np.random.default_rng(4)
    group, values = rates(0.95, [4] * 6, rng)
    sure = sample_shares(np.tile(values, (3000, 1)), group, rng)
    unsure = sample_shares(values + rng.normal(0, 1.0, (3000, len(values))), group, rng)
    assert unsure.std() > sure.std()


def posterior_of(assessment, harm) -> xr.DataTree:
    return xr.DataTree.from_dict(level_groups(build_level(assessment), harm, None, {}, NAMES, ("killing",)))


def test_few_sub_units_are_said_to_be_few_and_none_to_be_none() -> None:
    assessment = read_units()
    posterior = posterior_of(assessment, hand_made([[1, 2, 4, 8, 16, 32]] * 50))
    found = measure_cohesion(posterior, assessment.methodology, "level", 1)
    assert (found.n_parents, found.n_units, len(found.share)) == (1, 3, 50)
    assert found.note.startswith("Few sub-units")
    json = found.to_json_dict()
    assert 0 <= json["low"] <= json["median"] <= json["high"] <= 1
    flat = "a,Alpha,,,, a1,Alpha-North,,,, a2,Alpha-South,,,, b,Beta,,,, c,Gamma,,,,"
    lone = read_units(with_units('tree = [{ name = "x", groups = { b = ["c"] } }]'), organizations=flat)
    none = measure_cohesion(posterior_of(lone, hand_made([[1, 2, 4, 8, 16, 32]])), lone.methodology, "level", 1)
    assert none.note == "No organization has sub-units."
    assert none.to_json_dict()["median"] is None


def test_a_change_is_that_from_the_baselines_rate_to_the_windows() -> None:
    """The sub-units of a all fell to a tenth; the others did not move: the order was common."""
    assessment = read_units()
    rate = np.ones((1, 100, 1, 2, 6))
    rate[:, :, :, 1, :3] = 0.1
    rate *= np.exp(np.random.default_rng(1).normal(0, 0.02, rate.shape))
    posterior = posterior_of(assessment, hand_made([[1, 2, 4, 8, 16, 32]] * 100))
    dims = ("chain", "draw", "kind", "period", "actor")
    posterior["posterior"] = xr.DataTree(xr.Dataset({"rate": (dims, rate)}, coords={"period": ["baseline", "window"]}))
    found = measure_cohesion(posterior, assessment.methodology, "change", 1)
    assert np.median(found.share) > 0.9
    one_period = posterior.copy()
    one_period["posterior"] = xr.DataTree(
        xr.Dataset({"rate": (dims, rate[:, :, :, 1:])}, coords={"period": ["window"]})
    )
    assert "no baseline" in measure_cohesion(one_period, assessment.methodology, "change", 1).note
