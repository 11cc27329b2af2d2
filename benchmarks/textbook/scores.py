"""What is compared: one function of the parameters, computed for every sampler by the same NumPy code.

The score of an organization here is its *expected realized score given the parameters*: the sum over groups of
incidents in the window of responsibility times weighted harm. The package itself draws the allotment of the incidents
and the harms within their ranges besides; that noise is independent from draw to draw and would only hide how well a
sampler mixes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from textbook.incidents import Incidents, expand_groups
from violencescore.design import Design
from violencescore.methodology import Methodology
from violencescore.names import WINDOW

Floats = npt.NDArray[np.float64]

QUANTITIES = ("rate", "presence", "reach", "accuracy", "notoriety", "false_flag", "target")
"""Named quantities that every sampler must yield (chain, draw, ...); shapes as in ``model.quantities``."""

_CHUNK = 50


def window_worth(design: Design, methodology: Methodology) -> Floats:
    """Weighted harm of all incidents of each group that lies in the window; 0 elsewhere (group)."""
    profiles = design.profiles
    top = int((profiles.high - profiles.low).max(initial=0)) + 1
    value = profiles.low[:, None] + np.arange(top)
    left = (value - profiles.low[:, None] + 1) / (profiles.best - profiles.low + 1)[:, None]
    right = (profiles.high[:, None] - value + 1) / (profiles.high - profiles.best + 1)[:, None]
    weight = np.where(value <= profiles.high[:, None], np.minimum(left, right), 0.0)
    mean = (weight * value).sum(axis=1) / weight.sum(axis=1)
    owner = np.repeat(np.arange(len(profiles.n)), np.diff(profiles.start))
    worth = methodology.weight_vector[profiles.category] * mean * profiles.n[owner]
    total = np.bincount(profiles.group[owner], weights=worth, minlength=len(design.groups.n))
    return np.where(design.groups.period == design.periods.index(WINDOW), total, 0.0)


def expected_scores(design: Design, methodology: Methodology, draws: Mapping[str, Floats]) -> Floats:
    """Expected realized score given the parameters (chain, draw, organization)."""
    worth = window_worth(design, methodology)
    counted = np.flatnonzero(worth > 0)
    groups = expand_groups(design, methodology.priors, counted)
    n_chains, n_draws = draws["accuracy"].shape[:2]
    flat = {name: draws[name].reshape(n_chains * n_draws, *draws[name].shape[2:]) for name in QUANTITIES}
    n_organizations = groups.n_actors - 1
    scores = np.empty((n_chains * n_draws, n_organizations))
    evidence = groups.evidence(False), groups.evidence(True)
    for first in range(0, len(scores), _CHUNK):
        part = {name: value[first : first + _CHUNK] for name, value in flat.items()}
        responsibility = _responsibility(groups, evidence, part)
        scores[first : first + _CHUNK] = np.einsum("g,dgk->dk", worth[counted], responsibility)[:, :n_organizations]
    return scores.reshape(n_chains, n_draws, n_organizations)


def _responsibility(rows: Incidents, evidence: tuple[Floats, Floats], draws: Mapping[str, Floats]) -> Floats:
    """Probability that each actor did the incidents of each row (draw, row, actor)."""
    firm, forged = (
        np.exp(columns @ _log_probabilities(rows, draws, forgeable))
        for columns, forgeable in zip(evidence, (False, True), strict=True)
    )
    share, target = draws["false_flag"][:, rows.period], draws["target"]
    as_framed = forged @ target.transpose(0, 2, 1)
    known = np.flatnonzero(rows.framed >= 0)
    framed = rows.framed[known]
    as_framed[:, known] = target[:, :, framed].transpose(0, 2, 1) * forged[:, known, framed][:, :, None]
    either = (1 - share) * forged * rows.may_be_honest[:, None] + share * as_framed * rows.may_be_staged[:, None]
    cell = draws["rate"][:, rows.kind, rows.period] * draws["presence"][:, rows.region]
    weight = cell * firm * either * rows.possible
    total: Floats = weight / weight.sum(axis=2, keepdims=True)
    return total


def _log_probabilities(rows: Incidents, draws: Mapping[str, Floats], forgeable: bool) -> Floats:
    """Log probability by actor of each column of ``Incidents.evidence`` (draw, column, actor)."""
    chosen = rows.forgeable == forgeable
    reach, accuracy = draws["reach"][:, chosen], draws["accuracy"][:, chosen]
    n_organizations = rows.n_actors - 1
    notoriety = draws["notoriety"][:, chosen, :n_organizations]
    wrong = np.log1p(-accuracy)[:, :, None, None] + np.log(notoriety)[..., None] - np.log1p(-notoriety)[:, :, None, :]
    listed = np.where(np.eye(n_organizations, dtype=bool), np.log(accuracy)[:, :, None, None], wrong)
    named = np.concatenate([listed, np.log(notoriety)[..., None]], axis=3)
    columns = [np.log(reach), np.log1p(-reach), named.reshape(len(reach), -1, rows.n_actors)]
    return np.concatenate(columns, axis=1)


def compared_quantities(design: Design, scores: Floats, draws: Mapping[str, Floats]) -> dict[str, Floats]:
    """What posteriors must agree on: name to draws (chain, draw)."""
    first = scores.argmax(axis=2)
    found = {}
    for k, organization in enumerate(design.organizations):
        found[f"score[{organization}]"] = scores[:, :, k]
        found[f"P(first)[{organization}]"] = (first == k).astype(float)
    window = design.periods.index(WINDOW)
    top = int(scores.mean(axis=(0, 1)).argmax())
    second = (top + 1) % len(design.organizations)
    for k in (top, second, len(design.actors) - 1):
        found[f"rate in the window[{design.actors[k]}]"] = draws["rate"][:, :, :, window, k].sum(axis=2)
        found[f"presence[{design.regions[0]}, {design.actors[k]}]"] = draws["presence"][:, :, 0, k]
        found[f"reach[{design.channels[1]}, {design.actors[k]}]"] = draws["reach"][:, :, 1, k]
        found[f"false_flag[window, {design.actors[k]}]"] = draws["false_flag"][:, :, window, k]
    for h, channel in enumerate(design.channels):
        found[f"accuracy[{channel}]"] = draws["accuracy"][:, :, h]
    found[f"notoriety[{design.channels[1]}, {design.actors[top]}]"] = draws["notoriety"][:, :, 1, top]
    found[f"target[{design.actors[top]}, {design.actors[second]}]"] = draws["target"][:, :, top, second]
    return found
