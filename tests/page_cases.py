"""Pages with draws made by hand, of any size, and what the package says of the same draws and weights."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from publication_cases import hand_evidence
from report_cases import KLEIMAN

from violencescore.decision import Decision
from violencescore.methodology import Category, Methodology
from violencescore.panel import panel_table
from violencescore.ranks import pairwise_table, rank_table
from violencescore.report.page import render_page
from violencescore.report.page_data import PageContext
from violencescore.scenarios import draw_scenarios
from violencescore.scores import score_draws
from violencescore.verdict import decide_posterior

ROLES = ("journalist", "police", "citizen", "gang_member", "official", "community_leader", "unknown")
IDENTIFICATION = [
    {"parameter": "accuracy[claim]", "prior_sd": 0.12, "posterior_sd": 0.04, "contraction": 0.89},
    {"parameter": "false_flag[a]", "prior_sd": 0.06, "posterior_sd": 0.06, "contraction": 0.01},
    {"parameter": "unknown", "prior_sd": None, "posterior_sd": None, "contraction": None},
]
DIAGNOSTICS = {
    "converged": True, "max_rhat": 1.004, "min_ess": 1834.2, "divergences": 0, "n_draws": 400, "named": 40,
    "identification": IDENTIFICATION, "seconds": {"sample": 12.3},
}  # fmt: skip


@dataclass(frozen=True)
class PageCase:
    """A page and what it was made of."""

    html: str
    posterior: xr.DataTree
    methodology: Methodology
    decision: Decision
    context: PageContext

    def ranking(self, weights, per=None):
        """The probability-of-rank table under other weights."""
        return rank_table(self.scores(weights, per))

    def pairs(self, weights, per=None):
        return pairwise_table(self.scores(weights, per))

    def scores(self, weights, per=None):
        labels = list(self.methodology.category_labels)
        array = xr.DataArray(list(weights), dims="category", coords={"category": labels})
        return score_draws(self.posterior, self.methodology, per=per, weights=array)


def page_case(
    n=4, categories=5, chains=4, draws=100, *, names=None, spread=2.0, panel=True, revenue=True, seed=1, converged=True,
    score=None, decision=None, real=False, **context,
) -> PageCase:  # fmt: skip
    """Draws that are alike from one to the next, with ties among small counts, and a page of them."""
    parts = [
        Category(element="killing", victim_role=role, weight=w)
        for role, w in zip(ROLES, (3, 2.5, 2, 1, 3, 3, 1.5), strict=True)
    ]
    parts += [Category(element=f"harm {i}", weight=0.1 * (i + 1)) for i in range(7)]
    update = {"category": tuple(parts[:categories]), "fictional": True}
    update |= {"score": KLEIMAN.score.model_copy(update=score or {})}
    update |= {"decision": KLEIMAN.decision.model_copy(update=decision or {})}
    methodology = KLEIMAN.model_copy(update=update)
    posterior = _posterior(methodology, n, chains, draws, names, spread, panel, revenue, seed, real)
    diagnostics = {**DIAGNOSTICS, "converged": converged}
    verdict = decide_posterior(posterior, methodology, diagnostics)
    made = PageContext(
        **{
            "title": "Panel 2026", "methodology": methodology, "posterior": posterior, "diagnostics": diagnostics,
            "messages": ("12 of 900 incidents lie outside both periods and were left out.",),
            "run": {"seed": 7, "packages": {"numpy": "2.5.0"}, "inputs": {"harms.csv": "ab" * 32}},
            "panel": panel_table(posterior, methodology),
            "scenarios": draw_scenarios(posterior, methodology, diagnostics),
            "evidence": hand_evidence(posterior),
        } | context
    )  # fmt: skip
    return PageCase(render_page(verdict, made), posterior, methodology, verdict, made)


def _posterior(methodology, n, chains, draws, names, spread, panel, revenue, seed, real) -> xr.DataTree:
    rng = np.random.default_rng(seed)
    labels, ids = list(methodology.category_labels), [f"g{k}" for k in range(n)]
    drift = rng.normal(0, 0.3, (chains, draws, n))
    for step in range(1, draws):
        drift[:, step] += 0.7 * drift[:, step - 1]
    means = np.exp(drift)[..., None] * np.linspace(3 + spread, 3, n)[:, None] * rng.gamma(2, 0.5, (n, len(labels)))
    harm = rng.poisson(means) if not real else rng.gamma(2.0, means)
    dims, rest = ("chain", "draw", "organization", "category"), ("chain", "draw", "category")
    other = rng.poisson(3, (chains, draws, len(labels)))
    shown = names or [f"Group {k}" for k in range(n)]
    coords = {"organization": ids, "category": labels, "name": ("organization", list(shown))}
    data = {"harm_realized": (dims, harm), "harm_rate": (dims, rng.gamma(2.0, means)), "harm_other": (rest, other)}
    groups = {"harms": xr.Dataset(data, coords=coords)}
    if revenue:
        values = rng.lognormal(8, 0.5, (chains, draws, n))
        groups["revenue"] = xr.Dataset({"revenue": (dims[:3], values)}, coords={"organization": ids})
    if panel:
        weights = xr.DataArray(
            rng.uniform(0, 10, (3, len(labels))),
            dims=("panelist", "category"),
            coords={"panelist": ["Ana", "Bruno", "Clara"], "category": labels},
        )
        groups["weights"] = xr.Dataset({"panel_weight": weights})
    return xr.DataTree.from_dict(groups)


def hand_incidents(organizations, text="CASE-1"):
    steps = [
        {"item": "before the evidence", "bits": -1.0, "p": 0.33},
        {"item": f"press names {text}", "bits": 2.0, "p": 0.67},
    ]
    row = {
        "incident_id": text, "date": "2026-07-03", "region": text, "weight": 3.0, "harms": [["killing", "police", 2.0]],
        "evidence": [["press", organizations[0]]], "p": [0.67, *[0.1] * (len(organizations) - 1)], "p_other": 0.1,
        "p_false_flag": 0.05, "waterfall": {"focus": organizations[0], "p_staged": 0.05, "steps": steps},
    }  # fmt: skip
    return {"total": 3, "rows": [row, row | {"incident_id": f"{text}-b", "waterfall": None}]}
