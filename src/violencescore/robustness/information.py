"""What to find out next, or whether to announce: adjudications, another week, another source, a revenue audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from violencescore.bench.likelihood import thin_draws
from violencescore.design import Design, build_design
from violencescore.errors import RefusedError
from violencescore.montecarlo import Probability, effective_size
from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION
from violencescore.ranks import N_ERRORS
from violencescore.robustness.adjudicating import Stakes, adjudication_table
from violencescore.robustness.allotment import (
    Chances,
    Incidents,
    Placed,
    SingleArray,
    affordable_draws,
    flat_draws,
    group_chances,
    list_incidents,
    place_incidents,
    sample_noise,
    settled_chances,
)
from violencescore.robustness.basis import Basis, lead_shares
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.futures import Future, Stage, another_source, another_week
from violencescore.robustness.ledger import unreported_draws
from violencescore.robustness.margins import Margin
from violencescore.robustness.tendency import build_tendency, place_tendencies
from violencescore.robustness.ties import ends_of
from violencescore.robustness.waiting import Value, audit_value, value_of_futures
from violencescore.robustness.worlds import strata_on
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]

N_DRAWS = 2_000
"""Draws with which incidents are settled."""
N_WAITING = 800
"""Draws with which futures are judged."""
SHOWN = 15
"""Incidents in the figure."""


@dataclass(frozen=True, eq=False)
class _Ground:
    """What questions are asked of: draws, and one world of each; ``worth`` as of `adjudication_table`."""

    design: Design
    incidents: Incidents
    draws: xr.Dataset
    chances: Chances
    placed: Placed
    stakes: Stakes
    worth: SingleArray | None = None

    @property
    def now(self) -> FloatArray:
        """What each draw gives to "k is first" (draw, organization)."""
        return lead_shares(self.placed.scores[:, self.stakes.ranked] / self.stakes.divisor)


def _ground(basis: Basis, n_draws: int, rng: np.random.Generator) -> _Ground:
    assessment = basis.tables
    design, of_rate = build_design(assessment), basis.methodology.score.estimand == "rate"
    incidents = list_incidents(design, assessment, everywhere=of_rate)
    n = affordable_draws(design, n_draws, tables=2 if of_rate else 1)
    draws = flat_draws(thin_draws(basis.posterior["posterior"].to_dataset(), n))
    chances = group_chances(design, draws)
    weights = basis.weights.reindex({CATEGORY: list(design.categories)}, fill_value=0.0).values
    noise, worth = sample_noise(chances.n_draws, incidents, rng), None
    harms = thin_draws(basis.posterior["harms"].to_dataset(), n)
    unreported = unreported_draws(harms, basis.ids, design.categories)
    if of_rate:
        tendency = build_tendency(design, incidents, draws, counts_unlisted=unreported is not None, rng=rng)
        placed, worth = place_tendencies(tendency, incidents, chances, noise, weights)
    else:
        placed = place_incidents(incidents, chances, noise, weights)
    divisor = np.ones((chances.n_draws, len(basis.ids)))
    if (per := basis.methodology.score.per) != "none":
        kept = thin_draws(basis.posterior["revenue"].to_dataset(), n)[per].sel({ORGANIZATION: list(basis.ids)})
        divisor = kept.transpose(CHAIN, DRAW, ORGANIZATION).values.reshape(-1, len(basis.ids))
    ranked = np.array([design.actors.index(i) for i in basis.ids], dtype=np.int64)
    if unreported is not None:
        placed.scores[:, ranked] += unreported @ weights
    stakes = Stakes(basis.ids, ranked, np.ascontiguousarray(divisor, dtype=np.float64), basis.confidence)
    return _Ground(design, incidents, draws, chances, placed, stakes, worth)


def examine(basis: Basis, progress: Progress) -> Finding:
    """Value each question by what its answers would do to the probability of naming rightly.

    Raises
    ------
    RefusedError
        If scores are of the rate and have parts that the draws do not hold.
    """
    _ = basis.leader
    rng = np.random.default_rng(basis.seed)
    progress("information", 0, 3)
    ground = _ground(basis, N_DRAWS, rng)
    leads = ground.now.argmax(axis=1) == int(ground.now.mean(axis=0).argmax())
    independent = float(effective_size(leads.astype(float)[None, None])[0]) / len(leads)
    chances = settled_chances(ground.design, ground.draws, ground.incidents, ground.chances, ground.placed)
    settled = adjudication_table(
        ground.incidents, chances, ground.placed, ground.stakes, ground.design.actors,
        worth=ground.worth, independent=independent,
    )  # fmt: skip
    progress("information", 1, 3)
    values, missing = _waiting(basis, _ground(basis, N_WAITING, rng), rng, progress)
    tables = {
        "incidents": described(settled, "gain in the probability of naming rightly by settling the incident", "draws"),
        "waiting": described(values, "probability of naming rightly, now and with more information", "see method"),
    }
    progress("information", 3, 3)
    margins = () if basis.decision.outcome != "selected" else (_answer_margin(basis, settled),)
    return Finding("information", tables, margins, (*_notes(settled, values), *missing))


def _waiting(
    basis: Basis, ground: _Ground, rng: np.random.Generator, progress: Progress
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Value all that waiting could bring; and say what could not be valued."""
    design, incidents, chances, placed = ground.design, ground.incidents, ground.chances, ground.placed
    found: dict[str, Value] = {}
    missing = []
    try:
        end = pd.Timestamp(basis.window.end)
        stage = Stage(ends_of(design, basis.tables), strata_on(basis.tables, design, end))
        week = another_week(design, incidents, placed, ground.draws, stage, rng)
        same = ground.worth is not None
        week = _of_rates(week, placed) if same else week
        found["another week"] = value_of_futures(week, ground.now, ground.stakes, same_truth=same)
    except RefusedError as refusal:
        missing.append(f"Another week: {refusal}")
    firm = [
        channel
        for channel, forgeable, several in zip(design.channels, design.forgeable, design.candidates, strict=True)
        if not forgeable and not several
    ]
    for i, channel in enumerate(firm):
        progress("information: sources", i, len(firm))
        source = another_source(design, incidents, chances, placed, ground.draws, channel, rng)
        source = source if ground.worth is None else _of_rates(source, placed)
        found[f"another source like {channel}"] = value_of_futures(source, ground.now, ground.stakes)
    progress("information: sources", len(firm), len(firm))
    if not firm:
        missing.append("Another source: there is no channel that cannot be forged, so none to take for a model.")
    if basis.methodology.score.per != "none":
        revenue = basis.posterior["revenue"][basis.methodology.score.per].sel({ORGANIZATION: list(basis.ids)})
        drawn = revenue.transpose(CHAIN, DRAW, ORGANIZATION).values.reshape(-1, len(basis.ids))
        first = lead_shares(basis.values).reshape(-1, len(basis.ids))
        for k, organization in enumerate(basis.ids):
            audit = audit_value(first, drawn[:, k], basis.confidence)
            found[f"audit of {basis.names[organization]}"] = audit
    rows = [{"what": name, **vars(value)} for name, value in found.items()]
    columns = ["what", *Value.__dataclass_fields__]
    table = pd.DataFrame(rows, columns=columns).rename(columns={"method": "how"})
    return table.sort_values("gain", ascending=False, kind="stable").reset_index(drop=True), tuple(missing)


def _of_rates(future: Future, placed: Placed) -> Future:
    """Return a future of which draws learn, their own scores of the rate standing as they are."""

    def learned(true: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        return placed.scores[true], placed.scores, future(true)[2]

    return learned


def _answer_margin(basis: Basis, settled: pd.DataFrame) -> Margin:
    row = settled.iloc[int(settled["p_named"].to_numpy().argmin())]
    value = float(row["p_named"])
    said = (
        f"Whatever one incident is settled, somebody still clears {basis.confidence:g} with probability {value:.2f} at "
        f"least (incident {row['incident_id']})."
    )
    return Margin("any_answer", None, value, value, value, 0.0, "probability", said, "draws")


def _notes(settled: pd.DataFrame, values: pd.DataFrame) -> tuple[str, ...]:
    notes = []
    useful = settled[settled["gain"] > N_ERRORS * settled["gain_mcse"]]
    if useful.empty:
        removed = settled[settled["doubt"] > N_ERRORS * settled["doubt_mcse"]]
        notes.append("No single incident, once settled, would change whom one would name.")
        if not removed.empty:
            row = removed.iloc[0]
            notes.append(
                f"What would remove most of the doubt that is left is incident {row['incident_id']}: "
                f"{100 * row['doubt']:.1f} % of it."
            )
    else:
        row = useful.iloc[0]
        notes.append(
            f"To settle first: incident {row['incident_id']}, worth {100 * row['gain']:.1f} points of the probability "
            "of naming rightly."
        )
    if not values.empty:
        best = values.iloc[0]
        now = Probability(float(best["now"]), max(float(best["mcse"]), 1e-4))
        worth = float(best["gain"]) > N_ERRORS * float(best["mcse"])
        advice = (
            f"Wait: {best['what']} would add {100 * best['gain']:.1f} points to the probability of naming rightly "
            f"({now} now)."
            if worth
            else "Announce: nothing that waiting could bring raises the probability of naming rightly by more than its "
            "Monte-Carlo error."
        )
        notes.append(advice)
    return tuple(notes)


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw the incidents that are best settled, and the probability of naming rightly after each kind of waiting."""
    from violencescore.report.robustness_figures import bars
    from violencescore.report.weighing_figures import waiting_figure

    top = finding.tables["incidents"].head(SHOWN)
    by, label = ("gain", "points of the probability of naming rightly")
    if not (top["gain"] > N_ERRORS * top["gain_mcse"]).any():
        by, label = ("doubt", "% of the doubt about the first that it would remove")
    error = "gain_mcse" if by == "gain" else "doubt_mcse"
    texts = [
        f"{100 * row[by]:.1f} ± {200 * row[error]:.1f}; {names.get(row['likeliest'], row['likeliest'])} {row['p']:.2f}"
        for row in top.to_dict("records")
    ]
    figures = {
        "information-incidents": bars(
            top["incident_id"].astype(str).tolist(), (100 * top[by]).tolist(), x_label=label, texts=texts
        )
    }
    if len(finding.tables["waiting"]):
        figures["information-waiting"] = waiting_figure(finding.tables["waiting"])
    return figures


PART = Part("information", "What should be found out next, or is it time to announce?", True, examine, draw)
