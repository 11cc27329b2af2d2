"""What the sampler moves in: the model's density in other coordinates, and chosen by what is known."""

from __future__ import annotations

import numpy as np
import pytest
from design_cases import build_case, simulated

from violencescore.calibration.assessments import with_doubts
from violencescore.design import Design
from violencescore.model import layout as lay
from violencescore.model import pilot
from violencescore.model.coordinates import to_vector, turn
from violencescore.model.kernel import Kernel
from violencescore.model.pilot import curvature, find_mode, in_coordinates, sampled_point, who_did_it
from violencescore.model.quantities import initial_vector
from violencescore.simulation import simulate_world


@pytest.fixture(scope="module", params=["plain", "dyads", "famous", "copied"])
def both(request: pytest.FixtureRequest) -> tuple[Design, Kernel, Kernel]:
    assessment = simulated(request.param, 1, 150)
    design, kernel = build_case(with_doubts(assessment) if request.param == "copied" else assessment)
    return design, kernel, in_coordinates(kernel, design, initial_vector(kernel, design))


def vector_at(sampled: Kernel, point: np.ndarray) -> np.ndarray:
    offset, _, prior, _, _, _, coordinates, *_ = sampled.arguments
    return to_vector(point, offset, prior, coordinates)


def points(kernel: Kernel, n: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.6, (n, kernel.layout.size))


def numeric_volume(sampled: Kernel, point: np.ndarray) -> float:
    """Log of how much volume the map to the vector makes of a small one, from differences."""
    step = 1e-6
    sides = [vector_at(sampled, point + step * e) - vector_at(sampled, point - step * e) for e in np.eye(len(point))]
    return float(np.linalg.slogdet(np.array(sides) / (2 * step))[1])


def test_sampled_density_is_that_of_the_model_times_the_volume(both: tuple[Design, Kernel, Kernel]) -> None:
    _, kernel, sampled = both
    gaps = [
        sampled.log_density(p)[0] - kernel.log_density(vector_at(sampled, p))[0] - numeric_volume(sampled, p)
        for p in points(kernel, 4)
    ]
    assert np.ptp(gaps) < 1e-5


def test_gradient_at_sampled_points_is_that_of_the_density(both: tuple[Design, Kernel, Kernel]) -> None:
    _, kernel, sampled = both
    for point in points(kernel, 2):
        _, gradient = sampled.log_density(point)
        step = 1e-5
        expected = [
            (sampled.log_density(point + step * e)[0] - sampled.log_density(point - step * e)[0]) / (2 * step)
            for e in np.eye(len(point))
        ]
        assert np.allclose(gradient, expected, rtol=1e-5, atol=1e-5)


def test_without_coordinates_the_sampled_point_is_the_vector(both: tuple[Design, Kernel, Kernel]) -> None:
    _, kernel, _ = both
    point = points(kernel, 1)[0]
    assert np.array_equal(vector_at(kernel, point), point)


def test_a_vector_goes_to_its_point_and_back(both: tuple[Design, Kernel, Kernel]) -> None:
    _, _, sampled = both
    for vector in points(sampled, 3):
        assert np.allclose(vector_at(sampled, sampled_point(sampled, vector)), vector, atol=1e-9)


def test_axes_make_a_precision_one_and_leave_alone_what_is_known_less_than_a_priori() -> None:
    rng = np.random.default_rng(5)
    root = rng.normal(0, 1, (6, 6)) * [30, 3, 1, 1, 0.5, 0.1]
    value, direction = np.linalg.eigh(root @ root.T - np.eye(6))
    assert (value < 0).any()
    assert (value > 1).any()
    coordinates = turn(np.zeros(6), (direction * value) @ direction.T)
    axes = np.zeros((6, 6))
    row = np.repeat(np.arange(6), np.diff(coordinates.start))
    axes[row, coordinates.column] = coordinates.value
    turned = axes.T @ (direction * np.maximum(value, 1.0)) @ direction.T @ axes
    # Not quite one, since negligible entries of the axes are left out; never the last one of an entry.
    spread = np.linalg.eigvalsh(turned)
    assert spread.min() > 0.2
    assert spread.max() < 5
    assert np.abs(value).max() > 100


def test_what_depends_on_a_share_moves_with_it_however_near_to_zero_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    design, kernel = build_case(with_doubts(simulated("plain", 1, 3000)))
    start = initial_vector(kernel, design)
    middle = find_mode(kernel, start)
    follow, reach = (kernel.layout.offset[block] for block in (lay.FOLLOW, lay.REACH))
    channels = np.array([design.channels.index(name) for name in design.echoing])

    def steepest() -> float:
        """How steep it is along the reach of channels, at most, where none follows another any more."""
        sampled = in_coordinates(kernel, design, start)
        point = sampled_point(sampled, middle)
        point[follow + np.arange(len(channels))] -= 6.0
        return float(np.abs(sampled.log_density(point)[1][reach + channels]).max())

    bent = steepest()
    monkeypatch.setattr(pilot, "BENDING", (lay.KIN,))  # there are none
    assert bent < 0.3 * steepest()


def test_curvature_is_that_of_the_density(both: tuple[Design, Kernel, Kernel]) -> None:
    _, kernel, _ = both
    point = points(kernel, 1)[0]
    found = curvature(kernel, point)
    assert np.array_equal(found, found.T)
    step, along = 1e-3, np.random.default_rng(1).normal(0, 1, len(point))
    values = [kernel.log_density(point + s * along)[0] for s in (-step, 0.0, step)]
    assert along @ found @ along == pytest.approx(-(values[0] - 2 * values[1] + values[2]) / step**2, rel=1e-3)


def test_in_its_coordinates_a_posterior_is_about_round(both: tuple[Design, Kernel, Kernel]) -> None:
    design, kernel, sampled = both
    mode = sampled_point(sampled, find_mode(kernel, initial_vector(kernel, design)))
    spread = np.linalg.eigvalsh(curvature(sampled, mode))
    assert spread.max() < 4
    assert np.median(spread) == pytest.approx(1.0, abs=0.2)


def looked_at(world: str, n_incidents: int) -> tuple[Design, np.ndarray, np.ndarray]:
    """The design, who probably did each group, and how far the effects are centred."""
    design, kernel = build_case(simulated(world, 1, n_incidents))
    middle = find_mode(kernel, initial_vector(kernel, design))
    sampled = in_coordinates(kernel, design, initial_vector(kernel, design))
    centred = np.concatenate([kernel.layout.block(sampled.arguments[6].centred, e) for _, e, _ in lay.EFFECTS])
    return design, who_did_it(kernel, design, middle), centred


def test_effects_are_centred_where_many_incidents_say_whose_they_are_and_hardly_where_none_does() -> None:
    assert np.median(looked_at("plain", 3000)[2]) > 0.8
    assert np.median(looked_at("dyads", 300)[2]) < 0.1


def test_who_did_it_are_probabilities_and_follow_the_truth() -> None:
    design, probability, _ = looked_at("plain", 600)
    is_open = design.patterns.contest[design.groups.pattern] < 0
    assert np.allclose(probability.sum(axis=1), is_open)
    truth = simulate_world("plain", 1, 600).truth_incidents["organization_id"].value_counts()
    expected = [truth.get(organization, 0) for organization in design.organizations]
    found = (design.groups.n[:, None] * probability).sum(axis=0)[: len(expected)]
    assert np.corrcoef(found, expected)[0, 1] > 0.8


def test_the_mode_is_higher_and_flatter_than_where_the_search_began(both: tuple[Design, Kernel, Kernel]) -> None:
    design, kernel, _ = both
    start = initial_vector(kernel, design)
    found = find_mode(kernel, start)
    (before, slope), (after, flat) = kernel.log_density(start), kernel.log_density(found)
    for scales, _, _ in lay.EFFECTS:
        assert np.array_equal(kernel.layout.block(found, scales), kernel.layout.block(start, scales))
        kernel.layout.block(flat, scales)[:] = 0.0
    assert after > before
    assert np.abs(flat).max() < 0.02 * np.abs(slope).max()
