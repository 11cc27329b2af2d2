"""What the passport says of the embedded example, against refits.

    python benchmarks/robustness.py

Each row is a change of the data: what the draws expect of P(first), to first order and reweighted, and what the model
says when it is fitted again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from published import DOCS

from violencescore.assessment import Assessment, read_assessment
from violencescore.example import example_folder
from violencescore.fitting import fit_assessment
from violencescore.robustness import handful
from violencescore.robustness.basis import Basis, lead_shares, weighted_probability
from violencescore.robustness.changed import refit, with_incidents, without_incidents
from violencescore.robustness.insertions import Insertion, inserted
from violencescore.robustness.monotonicity import _expected_shares
from violencescore.robustness.staged_worlds import Staged, best_placed, usual, usual_harm
from violencescore.robustness.worlds import importance
from violencescore.runs import load_run

REMOVED, BEST, USUAL, CUTS = (1, 2, 3, 4), (1, 2, 3, 4, 5, 6), (4, 8, 12, 16, 20), (0.1, 0.2, 0.3, 0.4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute all rows, and write them as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="run of the embedded example; it is fitted without one")
    parser.add_argument("--out", type=Path, default=DOCS / "results" / "robustness-refits.csv", help="table to write")
    given = parser.parse_args(arguments)
    out, run = given.out, given.run
    if run is None:
        fitted = fit_assessment(read_assessment(example_folder()))
        methodology, posterior = fitted.assessment.methodology, fitted.posterior
        diagnostics = fitted.diagnostics.to_json_dict({})
    else:
        loaded = load_run(run)
        methodology, posterior, diagnostics = loaded.methodology, loaded.posterior, loaded.diagnostics
    assessment = read_assessment(example_folder(), methodology)
    basis = Basis(posterior, methodology, diagnostics, assessment, example_folder(), 0, methodology.sampling.seed)
    rows = []
    for row in (*removals(basis), *stagings(basis), *additions(basis), *cuts(basis)):
        rows.append(row)
        pd.DataFrame(rows).round(4).to_csv(out, index=False)
        print(row, flush=True)
    return 0


def _row(
    basis: Basis,
    change: str,
    n: float,
    focus: str,
    first_order: float,
    reweighted: float,
    k: float,
    changed: Assessment,
) -> dict[str, object]:
    fitted = refit(basis, changed, change)
    p = fitted.p_first[focus]
    return {
        "change": change, "n": n, "organization_id": focus, "first_order": first_order, "reweighted": reweighted,
        "pareto_k": k, "refit": p.p, "mcse": p.mcse, "outcome": fitted.verdict[0], "converged": fitted.converged,
    }  # fmt: skip


def _share(totals: np.ndarray, focus: int, weight: np.ndarray | None = None) -> float:
    return weighted_probability(lead_shares(totals)[..., focus], weight).p


def removals(basis: Basis) -> Iterator[dict[str, object]]:
    """The incidents whose removal lowers the lead most."""
    focus, worlds = basis.ids.index(basis.leader), basis.worlds
    taught = handful.lessons(worlds)
    order = handful.ordered(basis, focus, -1, taught, most=max(REMOVED))
    ids = worlds.design.incident_id[worlds.incident]
    for n in REMOVED:
        weight, k = importance(-worlds.log_density_of(order[:n]))
        first_order = handful.remove(basis, order[:n], focus, taught).p_first.p
        reweighted = _share(worlds.without(order[:n]), focus, weight)
        changed = without_incidents(basis.tables, [ids[i] for i in order[:n]])
        yield _row(basis, "removed", n, basis.leader, first_order, reweighted, k, changed)


def stagings(basis: Basis) -> Iterator[dict[str, object]]:
    """Incidents that Amber stages as the work of the runner-up."""
    order = sorted(basis.ids, key=lambda i: -basis.decision.p_first[i].p)
    framer, framed, focus = "amber", order[1], basis.ids.index(basis.leader)
    for name, staged, numbers in (
        ("staged, best placed", best_placed(basis, framer, framed, max(BEST)), BEST),
        ("staged, as usual", usual(basis, framer, framed, max(USUAL), basis.seed), USUAL),
    ):
        for n in numbers:
            weight, k = importance(staged.log_density[..., :n].sum(axis=-1))
            first_order, reweighted = _share(staged.totals(n), focus), _share(staged.credited(n), focus, weight)
            yield _row(basis, name, n, basis.leader, first_order, reweighted, k, _with(basis, staged, n))


def _with(basis: Basis, staged: Staged, n: int) -> Assessment:
    added = [(insertion, usual_harm(basis, insertion.kind)) for insertion in staged.insertions[:n]]
    return with_incidents(basis.tables, basis, added)


def additions(basis: Basis) -> Iterator[dict[str, object]]:
    """One more settled incident of the runner-up, where it is seldom and where it is at home."""
    framed = sorted(basis.ids, key=lambda i: -basis.decision.p_first[i].p)[1]
    worlds, k = basis.worlds, basis.ids.index(framed)
    presence = worlds.quantities["presence"].mean(["chain", "draw"]).values[:, worlds.ranked[k]]
    for region in (int(presence.argmin()), int(presence.argmax())):
        insertion = Insertion(0, region, settled=int(worlds.ranked[k]))
        density, share = inserted(worlds, [insertion])
        weight, pareto_k = importance(density[..., 0])
        value = float(basis.weights.to_series()[worlds.design.kinds[0]]) / worlds.size
        after = _expected_shares(worlds.totals(), value, share[..., 0, :], worlds.ranked, 0.0)[..., k]
        reweighted = weighted_probability(after, weight).p
        changed = with_incidents(basis.tables, basis, [(insertion, 1)])
        where = f"settled, added in {worlds.design.regions[region]}"
        yield _row(basis, where, 1, framed, float("nan"), reweighted, pareto_k, changed)


def cuts(basis: Basis) -> Iterator[dict[str, object]]:
    """Some of what the leader truly did in the window left undone, with all evidence on it."""
    truth = pd.read_csv(example_folder() / "truth_incidents.csv", dtype=str, keep_default_na=False)
    done = truth.loc[truth["organization_id"] == basis.leader, "incident_id"]
    inside = basis.tables.incidents.loc[basis.tables.incidents["period"] == "window", "incident_id"]
    own = np.array(sorted(set(done) & set(inside)))
    focus = basis.ids.index(basis.leader)
    shuffled = np.random.default_rng(1).permutation(own)
    for cut in CUTS:
        less = basis.values.copy()
        less[..., focus] *= 1 - cut
        changed = without_incidents(basis.tables, shuffled[: round(cut * len(own))].tolist())
        yield _row(basis, "cut", cut, basis.leader, _share(less, focus), float("nan"), float("nan"), changed)


if __name__ == "__main__":
    sys.exit(main())
