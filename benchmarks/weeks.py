"""What another week would say, by weighing the draws, against refits of the longer window.

    python benchmarks/weeks.py

Futures of a small world are drawn as the passport draws them: the incidents of one more week, with their harm and their
evidence. For each the draws are weighed by how probable they had made it; and the model is fitted again to the tables
with that week. Both say with which probability each organization is then first.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from published import DOCS

from violencescore.assessment import Assessment, read_assessment
from violencescore.fitting import fit_assessment
from violencescore.robustness import futures
from violencescore.robustness.basis import Basis, lead_shares
from violencescore.robustness.changed import refit
from violencescore.robustness.information import N_WAITING, _ground
from violencescore.robustness.ties import ends_of
from violencescore.robustness.waiting import _weigh
from violencescore.robustness.worlds import strata_on
from violencescore.simulation import simulate_world, write_simulation


def main() -> int:
    """Compute all rows, and write them as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS / "results" / "robustness-weeks.csv", help="table to write")
    parser.add_argument("--futures", type=int, default=12, help="futures that are fitted")
    parser.add_argument("--incidents", type=int, default=150, help="incidents of the small world")
    parser.add_argument("--seed", type=int, default=3, help="of the small world")
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name) / "world"
        write_simulation(simulate_world("plain", given.seed, given.incidents), folder)
        assessment = read_assessment(folder)
    fitted = fit_assessment(assessment)
    diagnostics = fitted.diagnostics.to_json_dict({})
    basis = Basis(fitted.posterior, assessment.methodology, diagnostics, assessment, seed=1)
    rng = np.random.default_rng(5)
    ground = _ground(basis, 4 * N_WAITING, rng)
    design, placed = ground.design, ground.placed
    stage = futures.Stage(
        ends_of(design, assessment), strata_on(assessment, design, pd.Timestamp(assessment.methodology.window.end))
    )
    model = futures._week_arrays(design, ground.draws, stage)
    share = stage.days / float(design.days[design.periods.index("window")])
    total = model.rate.sum(axis=(1, 2)) * share
    rows = []
    for number, true in enumerate(rng.choice(len(total), given.futures, replace=False).tolist()):
        seen, _ = futures._come(model, stage, placed.who, true, int(rng.poisson(total[true])), rng)
        like = [_like(design, ground.incidents, kind, rng) for kind in seen.kind]
        scores, log_weight = placed.scores.copy(), -total
        futures._meet(model, seen, placed.who, placed.amount[:, like], 1, scores, log_weight)
        weight, k = _weigh(log_weight, true)
        weighed = weight @ lead_shares(scores[:, ground.stakes.ranked])
        longer = _with_week(assessment, design, seen, like, rng)
        again = refit(basis, longer, f"future {number}")
        for i, organization in enumerate(basis.ids):
            p = again.p_first[organization]
            rows.append(
                {
                    "future": number, "incidents": len(like), "organization_id": organization,
                    "now": float(ground.now[:, i].mean()), "reweighted": float(weighed[i]), "pareto_k": k,
                    "refit": p.p, "mcse": p.mcse, "converged": again.converged,
                }
            )  # fmt: skip
        pd.DataFrame(rows).round(4).to_csv(given.out, index=False)
        print(pd.DataFrame(rows[-len(basis.ids) :]).round(3).to_string(), flush=True)
    print(_summary(pd.DataFrame(rows)))
    return 0


def _like(design: object, incidents: object, kind: int, rng: np.random.Generator) -> int:
    same = incidents.in_window & (design.groups.kind[incidents.group] == kind)  # type: ignore[attr-defined]
    return int(rng.choice(np.flatnonzero(same if same.any() else incidents.in_window)))  # type: ignore[attr-defined]


def _with_week(assessment: Assessment, design, seen, like: list[int], rng: np.random.Generator) -> Assessment:
    """Return the assessment with a week more, in which the incidents came."""
    window = assessment.methodology.window
    days = np.sort(rng.integers(7, size=len(like)))
    ids = [f"week-{i}" for i in range(len(like))]
    dates = [pd.Timestamp(window.end) + pd.Timedelta(days=1 + int(day)) for day in days]
    regions = [design.regions[r] for r in seen.region]
    incidents = pd.DataFrame({"incident_id": ids, "date_start": dates, "date_end": dates, "region": regions})
    harms = pd.concat(
        [
            assessment.harms[assessment.harms["incident_id"] == design.incident_id[i]].assign(incident_id=name)
            for name, i in zip(ids, like, strict=True)
        ]
    )
    piece = int(assessment.evidence["piece"].max()) + 1
    said = [
        {"incident_id": name, "channel": design.channels[h], "organization_id": design.actors[a], "piece": piece + j}
        for j, (name, h, a) in enumerate(
            (name, h, a)
            for name, row in zip(ids, seen.said, strict=True)
            for h, a in enumerate(row)
            if a < len(design.actors)
        )
    ]
    evidence = pd.DataFrame(said, columns=["incident_id", "channel", "organization_id", "piece"]).assign(
        origin="", source_id=""
    )
    longer = window.model_copy(update={"end": window.end + timedelta(days=7)})
    tables = {"incidents": incidents.assign(period="window"), "harms": harms, "evidence": evidence}
    return dataclasses.replace(
        assessment,
        methodology=assessment.methodology.model_copy(update={"window": longer}),
        **{
            name: pd.concat([getattr(assessment, name), rows[list(getattr(assessment, name).columns)]])
            .astype(getattr(assessment, name).dtypes.to_dict())
            .reset_index(drop=True)
            for name, rows in tables.items()
        },
    )


def _summary(table: pd.DataFrame) -> str:
    sound = table[table["pareto_k"] <= 0.7]
    apart = (sound["reweighted"] - sound["refit"]).abs()
    best = table.loc[table.groupby("future")["reweighted"].idxmax()]
    same = (
        best["organization_id"].to_numpy() == table.loc[table.groupby("future")["refit"].idxmax(), "organization_id"]
    ).mean()
    return (
        f"{sound['future'].nunique()} of {table['future'].nunique()} futures with k up to 0.7: P(first) differs by "
        f"{apart.mean():.3f} on average, {apart.max():.3f} at most; the same likeliest first in {100 * same:.0f} %. "
        f"P(likeliest first) {table.groupby('future')['reweighted'].max().mean():.3f} reweighted, "
        f"{table.groupby('future')['refit'].max().mean():.3f} fitted again."
    )


if __name__ == "__main__":
    sys.exit(main())
