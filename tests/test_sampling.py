from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from design_cases import build_case, simulated

from violencescore.attribution import attribute
from violencescore.design import Design
from violencescore.methodology import Sampling
from violencescore.model.evidence import channels
from violencescore.model.kernel import Kernel, forward
from violencescore.prepare import prepare
from violencescore.sampling import Draws, compile_kernel, sample_batches, sample_posterior


@pytest.fixture(scope="module")
def small() -> tuple[Kernel, Design, Sampling]:
    assessment = simulated("plain", 1, 60)
    design, kernel = build_case(assessment)
    settings = {"draws": 30, "tune": 60, "chains": 2, "max_extensions": 3}
    return kernel, design, assessment.methodology.sampling.model_copy(update=settings)


@pytest.fixture(scope="module")
def batches(small: tuple[Kernel, Design, Sampling]) -> list[Draws]:
    return list(sample_batches(*small, 7))


def test_each_batch_adds_as_many_draws_to_each_chain(batches: list[Draws]) -> None:
    assert [draws.vectors.shape[:2] for draws in batches] == [(2, 30), (2, 60), (2, 90), (2, 120)]
    for draws in batches:
        assert draws.divergent.shape == draws.steps.shape == draws.vectors.shape[:2]


def test_a_batch_continues_the_chains_and_changes_nothing_before(batches: list[Draws]) -> None:
    for before, after in pairwise(batches):
        assert np.array_equal(after.vectors[:, : before.vectors.shape[1]], before.vectors)
        assert np.array_equal(after.steps[:, : before.steps.shape[1]], before.steps)


@pytest.mark.parametrize("attempt", range(5))
def test_the_same_seed_gives_the_same_batches_however_quick_the_chains_are(
    small: tuple[Kernel, Design, Sampling], batches: list[Draws], attempt: int
) -> None:
    again = list(sample_batches(*small, 7))
    assert len(again) == len(batches)
    assert np.array_equal(again[-1].vectors, batches[-1].vectors)


def test_one_batch_alone_is_the_first_of_many(small: tuple[Kernel, Design, Sampling], batches: list[Draws]) -> None:
    assert np.array_equal(sample_posterior(*small, 7).vectors, batches[0].vectors)


def test_each_draw_has_its_density(small: tuple[Kernel, Design, Sampling], batches: list[Draws]) -> None:
    kernel, draws = small[0], batches[-1]
    whole = np.array([[kernel.log_density(vector)[0] for vector in chain] for chain in draws.vectors])
    assert whole.std() > 1.0
    assert np.allclose(draws.log_density - whole, (draws.log_density - whole)[0, 0], atol=1e-6)


def test_another_seed_gives_other_draws(small: tuple[Kernel, Design, Sampling], batches: list[Draws]) -> None:
    assert not np.array_equal(sample_posterior(*small, 8).vectors, batches[0].vectors)


def test_a_caller_who_stops_early_ends_the_chains(small: tuple[Kernel, Design, Sampling]) -> None:
    kernel, design, sampling = small
    found = sample_batches(kernel, design, sampling.model_copy(update={"max_extensions": 90}), 7)
    assert next(found).vectors.shape[:2] == (2, 30)
    found.close()
    with pytest.raises(StopIteration):
        next(found)


def test_progress_is_told_and_ends_at_the_whole(small: tuple[Kernel, Design, Sampling]) -> None:
    kernel, design, sampling = small
    told: list[tuple[str, int, int]] = []
    sample_posterior(kernel, design, sampling.model_copy(update={"draws": 300}), 7, lambda *call: told.append(call))
    assert told
    assert {stage for stage, _, _ in told} == {"sampling"}
    assert all(0 <= done <= total == 2 * 360 for _, done, total in told)


def test_what_is_prepared_is_all_that_a_fit_compiles() -> None:
    seconds = prepare()
    assert seconds > 0
    assert attribute.signatures
    compiled = [function.signatures.copy() for function in (attribute, forward, channels)]
    compile_kernel()
    assert [function.signatures for function in (attribute, forward, channels)] == compiled
