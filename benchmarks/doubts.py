"""What each doubt is worth where all are founded, and what it costs: `troubled`, with one option after the other off.

    python benchmarks/doubts.py --assessments 3

Fits each assessment with the options of its methodology, then without each of them, then without any, by turns, and
writes the table into options.md, in docs/. A fit takes half a minute; its time, and that of one gradient, are compared
with those of the same assessment without any option.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from published import DOCS, between_marks, markdown, show, spread

from violencescore.assessment import Assessment
from violencescore.calibration.refits import read_simulation, true_scores
from violencescore.design import build_design
from violencescore.fitting import fit_assessment
from violencescore.methodology import Methodology
from violencescore.model.kernel import build_kernel
from violencescore.model.quantities import initial_vector
from violencescore.output import write_file
from violencescore.sampling import compile_kernel
from violencescore.scores import score_draws
from violencescore.simulation import simulate_world

WORLD, PAGE, INTERVAL = "troubled", "options.md", (0.05, 0.95)
NONE_ON = "none on"
REPEATS, CALLS = 9, 100
"""Gradients are timed so often, so many together."""


def without_echoes(methodology: Methodology) -> dict[str, Any]:
    """Change what lets channels repeat one another."""
    return {"channels": {n: c.model_copy(update={"echoes": None}) for n, c in methodology.channels.items()}}


def without_episodes(methodology: Methodology) -> dict[str, Any]:
    """Change what lets incidents share a perpetrator."""
    return {"episodes": methodology.episodes.model_copy(update={"repeat": None})}


def without_factions(methodology: Methodology) -> dict[str, Any]:
    """Change what tells a faction from any organization."""
    return {"factions": methodology.factions.model_copy(update={"old_name": None})}


def recorded_only(methodology: Methodology) -> dict[str, Any]:
    """Change what counts unreported violence."""
    return {"reporting": methodology.reporting.model_copy(update={"model": "recorded"})}


OFF: Mapping[str, Sequence[Callable[[Methodology], dict[str, Any]]]] = {
    "all on": (),
    "no echoes": (without_echoes,),
    "no episodes": (without_episodes,),
    "no factions": (without_factions,),
    "recorded violence only": (recorded_only,),
    NONE_ON: (without_echoes, without_episodes, without_factions, recorded_only),
}


def switched_off(assessment: Assessment, changes: Sequence[Callable[[Methodology], dict[str, Any]]]) -> Assessment:
    """Return the assessment under a methodology with some options off."""
    methodology = assessment.methodology
    for change in changes:
        methodology = methodology.model_copy(update=change(methodology))
    return dataclasses.replace(assessment, methodology=methodology)


def gradient_seconds(assessment: Assessment) -> float:
    """Median time of one value and gradient of the log density."""
    design = build_design(assessment)
    kernel = build_kernel(design, assessment.methodology.priors)
    vector = initial_vector(kernel, design)
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for _ in range(CALLS):
            kernel.log_density(vector)
        times.append((time.perf_counter() - begin) / CALLS)
    return float(np.median(times))


def examine(seed: int, name: str) -> dict[str, Any]:
    """Fit one assessment with some options off, and set beside it what is true."""
    simulation = simulate_world(WORLD, seed)
    assessment = switched_off(read_simulation(simulation), OFF[name])
    truth = true_scores(simulation, assessment)
    begin = time.perf_counter()
    fit = fit_assessment(assessment, seed, densities=False)
    seconds = time.perf_counter() - begin
    scores = score_draws(fit.posterior, assessment.methodology)
    low, high = (scores.quantile(q, dim=("chain", "draw")) for q in INTERVAL)
    inside = [float(low.sel(organization=k)) <= truth[k] <= float(high.sel(organization=k)) for k in truth]
    best = max(truth.values())
    return {
        "options": name,
        "seed": seed,
        "inside": sum(inside),
        "scores": len(inside),
        "p_of_truth": max(fit.decision.p_first[k].p for k in truth if truth[k] == best),
        "selected": fit.decision.selected,
        "right": fit.decision.selected is not None and truth[fit.decision.selected] == best,
        "converged": bool(fit.diagnostics.to_json_dict({})["converged"]),
        "seconds": seconds,
        "draws": fit.posterior.posterior.sizes["chain"] * fit.posterior.posterior.sizes["draw"],
        "gradient_us": 1e6 * gradient_seconds(assessment),
    }


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each setting of the options."""
    found = []
    without = rows[rows["options"] == NONE_ON].set_index("seed")
    for name, of in rows.groupby("options", sort=False):
        named = of["selected"].notna()
        found.append(
            {
                "options": name,
                "scores in their 90 % interval": f"{of['inside'].sum()} of {of['scores'].sum()}",
                "P(first) of the truly first": ", ".join(f"{p:.2f}" for p in of["p_of_truth"]),
                "named rightly, wrongly, nobody": (
                    f"{int(of['right'].sum())}, {int((named & ~of['right']).sum())}, {int((~named).sum())}"
                ),
                "converged": f"{int(of['converged'].sum())} of {len(of)}",
                **{
                    f"{label} (x none on)": (
                        f"{spread(of[column])} ({spread(of[column] / without[column].reindex(of['seed']).to_numpy())})"
                    )
                    for label, column in (("fit, s", "seconds"), ("gradient, us", "gradient_us"))
                },
            }
        )
    return pd.DataFrame(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assessments", type=int, default=3)
    parser.add_argument("--out", type=Path, default=DOCS, help="where the page and results/ are")
    given = parser.parse_args(arguments)
    compile_kernel()
    rows = []
    for seed in np.arange(1, given.assessments + 1):
        for name in OFF:
            rows.append(examine(int(seed), name))
            print(rows[-1], file=sys.stderr, flush=True)
    frame = pd.DataFrame(rows)
    write_file(given.out / "results" / "doubts.csv", frame.to_csv(index=False).encode())
    shown = table(frame)
    page = given.out / PAGE
    content = f"World `{WORLD}`, seeds 1 to {given.assessments}.\n\n{markdown(shown)}"
    write_file(page, between_marks(page.read_text(encoding="utf-8"), "doubts", content).encode())
    show(shown, "What each doubt is worth", ("options",))
    return 0


if __name__ == "__main__":
    sys.exit(main())
