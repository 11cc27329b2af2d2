"""Dawid and Skene's anaesthetists: the full confusion matrix, in the likelihood that the model uses.

Patients are incidents, classes organizations, observers channels that always speak. `other` gets no rate.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from design_cases import read_case

from violencescore.bench.likelihood import group_weights
from violencescore.design import Design, build_design

CASE = json.loads((Path(__file__).parent / "reference" / "confusion_anaesthetists.json").read_text(encoding="utf-8"))
N_PATIENTS, N_OBSERVERS, N_CLASSES = 45, 5, 4
RATES_THRICE = 0
NO_RATE = 1e-300

METHODOLOGY = """\
extends = "killings-only"
id = "patients"
version = "1.0.0"

[window]
start = 2026-07-01
end = 2026-08-26
baseline_start = 2026-06-01

""" + "\n".join(f"[channels.observer-{h}]\nforgeable = false\naccuracy = [8, 2]\n" for h in range(1, N_OBSERVERS + 1))


@cache
def ratings(transcription: str) -> np.ndarray:
    """Patient, observer and class of each rating, from zero; in one rating the two transcriptions differ."""
    rows = np.array([[int(c) for c in patient] for patient in CASE["ratings"]])
    if transcription == "rater":
        patient, place, rating = CASE["differs"]
        rows[patient - 1, place - 1] = rating
    observer = np.repeat(np.arange(N_OBSERVERS), [3, 1, 1, 1, 1])
    patients = np.repeat(np.arange(N_PATIENTS), rows.shape[1])
    return np.column_stack([patients, np.tile(observer, N_PATIENTS), rows.ravel() - 1])


@cache
def patients_as_incidents(transcription: str) -> Design:
    """The design of the ratings, read from tables as any assessment is."""
    said = ratings(transcription)
    assessment = read_case(
        METHODOLOGY,
        organizations=[f"class-{k},Class {k},true" for k in range(1, N_CLASSES + 1)],
        incidents=[f"p{i},2026-07-15,ward" for i in range(N_PATIENTS)],
        harms=[f"p{i},killing,citizen,1,1,1" for i in range(N_PATIENTS)],
        evidence=[f"p{i},observer-{h + 1},class-{k + 1},view-{n},paper" for n, (i, h, k) in enumerate(said)],
    )
    return build_design(assessment)


def class_probabilities(design: Design, share: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Probability of each class for each patient (draw, patient, class), of shares (draw, class) and errors
    (draw, observer, class, rating)."""
    n = len(share)
    n_actors, n_kinds = len(design.actors), len(design.kinds)
    rate = np.full((n, n_kinds, len(design.periods), n_actors), NO_RATE)
    rate[..., :N_CLASSES] = share[:, None, None]
    confusion = np.zeros((n, N_OBSERVERS, n_actors, n_actors))
    confusion[:, :, :N_CLASSES, :N_CLASSES] = error
    confusion[:, :, -1, :N_CLASSES] = 1 / N_CLASSES
    order = [design.channels.index(f"observer-{h + 1}") for h in range(N_OBSERVERS)]
    by_channel = np.empty_like(confusion)
    by_channel[:, order] = confusion
    one = {
        "rate": (("kind", "period", "actor"), rate),
        "presence": (("region", "actor"), np.ones((n, 1, n_actors))),
        "reach": (("channel", "actor"), np.full((n, N_OBSERVERS, n_actors), 0.5)),
        "accuracy": (("channel",), np.full((n, N_OBSERVERS), 0.5)),
        "confusion": (("channel", "actor", "named"), by_channel),
    }
    posterior = xr.Dataset({name: (("chain", "draw", *dims), values[None]) for name, (dims, values) in one.items()})
    weight = np.concatenate([weights.either for weights in group_weights(design, posterior)])
    found: np.ndarray = (weight / weight.sum(axis=2, keepdims=True))[:, design.incident_group, :N_CLASSES]
    return found


def rating_counts(said: np.ndarray, of_class: np.ndarray) -> np.ndarray:
    """How often each observer gave each rating to each class (draw, observer, class, rating)."""
    counts = np.zeros((len(of_class), N_OBSERVERS, N_CLASSES, N_CLASSES))
    for patient, observer, rating in said:
        counts[:, observer, :, rating] += of_class[:, patient]
    return counts


@pytest.mark.parametrize("transcription", ["paper", "rater"])
def test_repeated_views_of_one_observer_are_pieces_of_their_own(transcription: str) -> None:
    design = patients_as_incidents(transcription)
    assert len(design.incident_group) == N_PATIENTS
    p = design.groups.pattern[design.incident_group]
    pieces = np.diff(design.patterns.firm_start)[p]
    assert np.all(pieces == len(ratings(transcription)) / N_PATIENTS + N_OBSERVERS)


def test_maximum_likelihood_is_that_of_1979() -> None:
    design, said = patients_as_incidents("paper"), ratings("paper")
    votes = np.zeros((1, N_PATIENTS, N_CLASSES))
    np.add.at(votes, (0, said[:, 0], said[:, 2]), 1.0)
    of_class = votes / votes.sum(axis=2, keepdims=True)
    for _ in range(300):
        counts = rating_counts(said, of_class)
        share, error = of_class.mean(axis=1), counts / counts.sum(axis=3, keepdims=True)
        of_class = class_probabilities(design, share, error)
    published = CASE["maximum_likelihood"]
    np.testing.assert_allclose(share[0], published["share"], atol=CASE["tolerance"]["maximum_likelihood"])
    np.testing.assert_allclose(
        error[0, RATES_THRICE], published["first_observer"], atol=CASE["tolerance"]["maximum_likelihood"]
    )
    assert (of_class[0, :6].argmax(axis=1) + 1).tolist() == published["class_of_first_six"]


def test_posterior_shares_are_the_published_ones() -> None:
    design, said = patients_as_incidents("rater"), ratings("rater")
    published = CASE["bayes"]
    prior_error = np.where(np.eye(N_CLASSES, dtype=bool), *published["prior_error"])
    rng = np.random.default_rng(1979)
    n_chains, n_tune, n_kept = 400, 40, 100
    votes = np.zeros((N_PATIENTS, N_CLASSES))
    np.add.at(votes, (said[:, 0], said[:, 2]), 1.0)
    of_class = np.broadcast_to(votes / votes.sum(axis=1, keepdims=True), (n_chains, N_PATIENTS, N_CLASSES))
    shares = []
    # Gibbs sampling, all chains at once: classes given shares and errors by the model's likelihood, and back.
    for _ in range(n_tune + n_kept):
        true = (rng.random((n_chains, N_PATIENTS, 1)) > of_class.cumsum(axis=2)).sum(axis=2).clip(max=N_CLASSES - 1)
        known = np.eye(N_CLASSES)[true]
        share = dirichlet(published["prior_share"] + known.sum(axis=1), rng)
        error = dirichlet(prior_error + rating_counts(said, known), rng)
        of_class = class_probabilities(design, share, error)
        shares.append(share)
    mean = np.mean(shares[n_tune:], axis=(0, 1))
    np.testing.assert_allclose(mean, published["share"], atol=CASE["tolerance"]["bayes"])


def dirichlet(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.gamma(alpha)
    found: np.ndarray = drawn / drawn.sum(axis=-1, keepdims=True)
    return found
