"""Does it find the truth? Fit simulated assessments with known truth and compare.

    python benchmarks/recovery.py --world plain --first 1 --last 24

For each seed: simulate, read, fit at default settings, and compare with the truth. Writes one row an organization to
docs/results/recovery-WORLD.csv and prints the summary that docs/recovery.md shows. The command `violencescore
calibrate` does more of this, for all worlds, on all cores; see docs/calibration.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

from violencescore.calibration.refits import read_simulation
from violencescore.example import count_names
from violencescore.fitting import fit_assessment
from violencescore.simulation import simulate_world

RESULTS = Path(__file__).parent.parent / "docs" / "results"


def fit_seed(world: str, seed: int, n_incidents: int | None) -> pd.DataFrame:
    simulation = simulate_world(world, seed, n_incidents)
    assessment = read_simulation(simulation)
    start = time.perf_counter()
    fit = fit_assessment(assessment)
    truth = simulation.truth.groupby("organization_id")[["score", "rank"]].first()
    table = fit.decision.ranking.set_index("organization_id")[["p_first", "score_low", "score_median", "score_high"]]
    table = table.join(truth).assign(names=count_names(assessment))
    table["covered"] = table["score"].between(table["score_low"], table["score_high"])
    table["max_rhat"] = fit.diagnostics.max_rhat
    table["min_ess"] = fit.diagnostics.min_ess
    table["divergences"] = fit.diagnostics.divergences
    table["converged"] = fit.diagnostics.converged
    table["outcome"] = fit.decision.outcome
    table["selected"] = fit.decision.selected or ""
    table["n_incidents"] = fit.design.n_incidents
    table["seconds"] = time.perf_counter() - start
    table.insert(0, "seed", seed)
    return table.reset_index()


def summarize(rows: pd.DataFrame) -> dict[str, object]:
    worlds = rows.groupby("seed")
    is_first = rows["rank"] == rows.groupby("seed")["rank"].transform("min")
    by_model = rows.loc[worlds["p_first"].idxmax()]
    by_names = rows.loc[worlds["names"].idxmax()]
    chosen = rows[(rows["outcome"] == "selected") & (rows["organization_id"] == rows["selected"])]
    return {
        "assessments": worlds.ngroups,
        "incidents (mean)": round(worlds["n_incidents"].first().mean()),
        "coverage of 90 % intervals": round(rows["covered"].mean(), 3),
        "top by P(first) is the truth": f"{is_first[by_model.index].sum()} of {worlds.ngroups}",
        "top by counting names is the truth": f"{is_first[by_names.index].sum()} of {worlds.ngroups}",
        "selected": len(chosen),
        "selected rightly": int(is_first[chosen.index].sum()),
        "largest P(first), mean": round(worlds["p_first"].max().mean(), 3),
        "largest P(first), maximum": round(rows["p_first"].max(), 4),
        "largest R-hat": round(rows["max_rhat"].max(), 4),
        "least effective sample size": round(rows["min_ess"].min()),
        "divergences": int(worlds["divergences"].first().sum()),
        "converged": f"{int(worlds['converged'].first().sum())} of {worlds.ngroups}",
        "seconds a fit (median)": round(worlds["seconds"].first().median(), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="plain")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--last", type=int, default=24)
    parser.add_argument("--incidents", type=int)
    arguments = parser.parse_args()
    path = RESULTS / f"recovery-{arguments.world}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(arguments.first, arguments.last + 1):
        rows.append(fit_seed(arguments.world, seed, arguments.incidents))
        table = pd.concat(rows, ignore_index=True)
        table.round(4).to_csv(path, index=False)
        last = rows[-1].iloc[0]
        print(f"{seed}: {last['outcome']}, R-hat {last['max_rhat']:.4f}, {last['seconds']:.1f} s", flush=True)
    for name, value in summarize(table).items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
