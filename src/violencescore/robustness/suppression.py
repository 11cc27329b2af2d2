"""Suppression: what if less was reported where an organization is at home?

Whoever intimidates the press lowers its own score, unless it is seen. Curves over rho, by what the reporting in its
regions is multiplied:

- *hidden*: what the verdict would be if the lists cover that much less than is believed, and what they miss counts.
  Each incident of the organization there, recorded or believed to be unlisted, stands for a geometric number of them,
  1 / rho on average, as harmful as it is.
- *gained*: what the organization gains by silencing from now on, where nobody notices. Where only recorded violence
  counts, each of its own incidents there stays with probability rho. Where unreported violence is estimated, each
  *report* from its regions stays with probability rho, whosever incident it is of, and an incident that loses all of
  them is gone; the odds of being missed are believed to be what they were, so that what is estimated as unlisted
  shrinks with what is left.
- *noticed*: the same, but the rates at which sources list are estimated from what is left of the lists. The model is
  fitted again, lists and all, to one way in which the reports could have been lost; beside it stands what that same
  loss does unnoticed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.assessment import Assessment
from violencescore.grouping import ints
from violencescore.montecarlo import FloatArray, Probability
from violencescore.names import CHAIN, DRAW, PERIOD, REGION, WINDOW
from violencescore.robustness.basis import Basis, first_probabilities
from violencescore.robustness.changed import refit, without_incidents
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.sampling import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IntArray = npt.NDArray[np.int64]

RHO = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
NOTICED = (0.5, 0.2)
"""Where the lists are fitted again, besides where the leader would escape unnoticed."""
_COLUMNS = ["organization_id", "what", "reporting", "p_first", "mcse", "leader_id", "p_leader", "outcome", "method"]


def home_regions(basis: Basis, organization: str) -> npt.NDArray[np.int64]:
    """Return the regions where an organization did more than any other, or the one where it did the most."""
    worlds = basis.worlds
    design = worlds.design
    region = design.groups.region[design.incident_group[worlds.incident]]
    done = np.zeros((len(design.regions), len(design.actors)))
    n = worlds.shape[0] * worlds.shape[1]
    actor = worlds.actor.reshape(n, -1)
    for k in worlds.ranked:
        done[:, k] = np.bincount(region, weights=(actor == k).mean(axis=0), minlength=len(design.regions))
    own = done[:, design.actors.index(organization)]
    first = np.flatnonzero((own > 0) & (own >= done.max(axis=1)))
    return first if len(first) else np.array([int(own.argmax())])


@dataclass(frozen=True, eq=False)
class Home:
    """The regions where an organization is at home.

    Attributes
    ----------
    there
        Which incidents of the window lie in them (incident).
    n_reports
        Reports of each incident (incident); None where only recorded violence counts.
    unlisted
        Weighted harm of each organization there that no source lists, as estimated (chain, draw, organization).
    """

    there: npt.NDArray[np.bool_]
    n_reports: IntArray | None
    unlisted: FloatArray


def counts_unlisted(basis: Basis) -> bool:
    """Whether the draws estimate what no source lists."""
    return "listed" in basis.worlds.quantities


def home_of(basis: Basis, organization: str) -> Home:
    """Return the home of an organization."""
    worlds, design = basis.worlds, basis.worlds.design
    regions = home_regions(basis, organization)
    there = np.isin(design.groups.region[design.incident_group[worlds.incident]], regions)
    if not counts_unlisted(basis):
        return Home(there, None, np.zeros_like(worlds.unlisted))
    of = basis.tables.reports.drop_duplicates(["incident_id", "source_id"])["incident_id"].value_counts()
    n_reports = of.reindex(design.incident_id[worlds.incident], fill_value=0)
    return Home(there, ints(n_reports), worlds.unlisted * _unlisted_share(basis, regions))


def _unlisted_share(basis: Basis, regions: IntArray) -> FloatArray:
    """Expected share of unlisted incidents of the window that lie in some regions (chain, draw, organization)."""
    worlds = basis.worlds
    listed = worlds.quantities["listed"].sel({PERIOD: WINDOW}).transpose(CHAIN, DRAW, REGION).values
    presence = worlds.quantities["presence"].transpose(CHAIN, DRAW, REGION, ...).values[..., worlds.ranked]
    missed = presence * (np.maximum(1.0 - listed, 1e-12) / listed)[..., None]
    return np.asarray(missed[..., regions, :].sum(axis=-2) / missed.sum(axis=-2))


def suppression_curve(basis: Basis, rhos: Sequence[float] = RHO) -> pd.DataFrame:
    """Return P(first) of each organization against the reporting in its regions.

    Returns
    -------
    pandas.DataFrame
        organization_id, what (``hidden`` or ``gained``), reporting, p_first (of the organization), mcse, leader_id,
        p_leader, outcome, method.
    """
    worlds = basis.worlds
    rng = np.random.default_rng(basis.seed)
    # The same uniforms at every rho: what is hidden at one is hidden at any lower one.
    hidden, stays = rng.random(worlds.value.shape), rng.random(worlds.value.shape)
    rows = []
    for k, organization in enumerate(basis.ids):
        home = home_of(basis, organization)
        for what, u, change in (("hidden", hidden, hidden_scores), ("gained", stays, thinned_scores)):
            for rho in rhos:
                values = change(basis, k, home, u, rho)
                found = first_probabilities(values, basis.methodology.decision.margin)
                lead = int(np.argmax([p.p for p in found]))
                outcome = basis.verdict_of(values)[0]
                rows.append(
                    (
                        organization,
                        what,
                        rho,
                        found[k].p,
                        found[k].mcse,
                        basis.ids[lead],
                        found[lead].p,
                        outcome,
                        "draws",
                    )
                )
    estimand = "P(first of the organization) if the reporting in its regions was multiplied by this"
    return described(pd.DataFrame(rows, columns=_COLUMNS), estimand, "draws")


def hidden_scores(basis: Basis, k: int, home: Home, u: FloatArray, rho: float) -> FloatArray:
    """Return the scores if so much less was reported than is believed, and what is missed counts."""
    worlds = basis.worlds
    values, own = worlds.totals(), home.there & (worlds.actor == worlds.ranked[k])
    more = np.where(own, worlds.value * _unseen(u, rho), 0.0).sum(axis=-1) + home.unlisted[..., k] * (1.0 / rho - 1.0)
    values[..., k] += more / worlds.size[..., k]
    return values


def _unseen(u: FloatArray, rho: float) -> FloatArray:
    """Draw how many unrecorded incidents stand behind each recorded one: geometric, (1 - rho) / rho on average."""
    if rho >= 1.0:
        return np.zeros(u.shape)
    return np.asarray(np.floor(np.log1p(-u) / np.log1p(-rho)))


def thinned_scores(basis: Basis, k: int, home: Home, u: FloatArray, rho: float) -> FloatArray:
    """Return the scores if so much less is reported from now on, and nobody notices.

    Whose the incidents are that stay is taken to be as it was. What is believed to be unlisted there goes with what is
    left of each organization's incidents there, since its rate is learned from these.
    """
    worlds = basis.worlds
    if home.n_reports is None:
        lost = home.there & (worlds.actor == worlds.ranked[k]) & (u > rho)
        return worlds.totals(np.where(lost, 0.0, worlds.value))
    lost = home.there & (home.n_reports > 0) & (u > 1.0 - (1.0 - rho) ** home.n_reports)
    values = worlds.totals(np.where(lost, 0.0, worlds.value))
    everywhere = lost.sum(axis=-1) / max(int(home.there.sum()), 1)
    for j, actor in enumerate(worlds.ranked):
        own = home.there & (worlds.actor == actor)
        # Of one that did nothing there on record, as much as of all.
        gone = np.divide((own & lost).sum(axis=-1), own.sum(axis=-1), out=everywhere.copy(), where=own.any(axis=-1))
        values[..., j] -= home.unlisted[..., j] * gone / worlds.size[..., j]
    return values


def thinned_tables(basis: Basis, organization: str, rho: float) -> Assessment:
    """Return the tables if each report of the window from an organization's regions stayed with a probability.

    What a source no longer reports is no evidence either. The same uniforms serve every probability.
    """
    tables, worlds = basis.tables, basis.worlds
    at_home = set(worlds.design.incident_id[worlds.incident[home_of(basis, organization).there]])
    reports = tables.reports
    u = np.random.default_rng([basis.seed, basis.ids.index(organization)]).random(len(reports))
    lost = reports["incident_id"].isin(at_home).to_numpy() & (u > rho)
    kept = reports[~lost]
    gone = set(reports["incident_id"][lost]) - set(kept["incident_id"])
    pairs = pd.MultiIndex.from_frame(reports.loc[lost, ["incident_id", "source_id"]])
    silenced = pd.MultiIndex.from_frame(tables.evidence[["incident_id", "source_id"]]).isin(pairs)
    changed = dataclasses.replace(
        tables, reports=kept.reset_index(drop=True), evidence=tables.evidence[~silenced].reset_index(drop=True)
    )
    return without_incidents(changed, gone)


def noticed_table(basis: Basis, escape: float | None, progress: Progress) -> pd.DataFrame:
    """Fit again what is left when the leader's regions are silenced, in one way in which that could happen.

    Parameters
    ----------
    escape
        The reporting at which it would escape if nobody noticed; None where it does not.

    Returns
    -------
    pandas.DataFrame
        organization_id, reporting, lost (incidents that are on no list any more), p_unnoticed (P(first) by the draws
        without these), p_first (fitted again), mcse, leader_id, p_leader, outcome, converged.
    """
    rows = []
    for rho in [rho for rho in dict.fromkeys((escape, *NOTICED)) if rho is not None][: basis.n_refits]:
        left = thinned_tables(basis, basis.leader, rho)
        unnoticed = first_probabilities(unnoticed_scores(basis, left, rho), basis.methodology.decision.margin)
        fitted = refit(basis, left, f"reporting times {rho:g}", progress)
        best = max(fitted.p_first, key=lambda i: fitted.p_first[i].p)
        own, lead = fitted.p_first[basis.leader], fitted.p_first[best]
        lost = len(basis.tables.incidents) - len(left.incidents)
        before = unnoticed[basis.ids.index(basis.leader)].p
        verdict = fitted.verdict[0], fitted.converged
        rows.append((basis.leader, rho, lost, before, own.p, own.mcse, best, lead.p, *verdict))
    columns = [
        *("organization_id", "reporting", "lost", "p_unnoticed", "p_first", "mcse"),
        *("leader_id", "p_leader", "outcome", "converged"),
    ]
    estimand = "P(first of the organization) if reporting in its regions was multiplied by this, and noticed"
    return described(pd.DataFrame(rows, columns=columns), estimand, "refit")


def unnoticed_scores(basis: Basis, left: Assessment, rho: float) -> FloatArray:
    """Return the scores without the incidents that are in the tables no more, nobody noticing."""
    worlds = basis.worlds
    gone = ~np.isin(worlds.design.incident_id[worlds.incident], left.incidents["incident_id"])
    u = np.broadcast_to(np.where(gone, 2.0, 0.0), worlds.value.shape)
    return thinned_scores(basis, basis.ids.index(basis.leader), home_of(basis, basis.leader), u, rho)


def examine(basis: Basis, progress: Progress) -> Finding:
    """Compute the curves, and the least hiding that would hide another verdict."""
    progress("suppression", 0, 1)
    curve = suppression_curve(basis)
    own = curve[(curve["what"] == "gained") & (curve["organization_id"] == basis.leader)]
    escaped = own.loc[own["p_first"] < basis.confidence, "reporting"]
    escape = None if escaped.empty or escaped.max() == 1.0 else float(escaped.max())
    notes = [_unnoticed_note(basis, escape, own.set_index("reporting")["p_first"])]
    tables = {"curve": curve}
    if counts_unlisted(basis):
        noticed = noticed_table(basis, escape, progress)
        notes.append(_noticed_note(basis, noticed))
        tables |= {"noticed": noticed} if len(noticed) else {}
    progress("suppression", 1, 1)
    return Finding("suppression", tables, (_margin(basis, curve),), tuple(notes))


def _margin(basis: Basis, curve: pd.DataFrame) -> Margin:
    others = curve[(curve["what"] == "hidden") & (curve["organization_id"] != basis.leader)]
    changed = others[(others["outcome"] != basis.decision.outcome) | (others["leader_id"] != basis.leader)]
    estimated = counts_unlisted(basis)
    if changed.empty:
        least = f"only {100 * min(RHO):.0f} %"
        said = f"Even if {least} of a rival's incidents in its regions were reported, it would stand."
        if estimated:
            said = f"Even if lists covered {least} of what is believed of a rival's incidents at home, it would stand."
        return Margin("suppression", basis.leader, np.inf, np.inf, np.inf, 0.0, "share", said, "draws")
    row = changed.sort_values("reporting", ascending=False, kind="stable").iloc[0]
    loss, rival = 1 - float(row["reporting"]), basis.names[str(row["organization_id"])]
    # The curve has steps: the verdict still stands one step before.
    before = max((1 - r for r in RHO if r > row["reporting"]), default=0.0)
    less = f"{100 * loss:.0f} %"
    said = f"If {less} of {rival}'s incidents in its regions went unreported, the verdict would change."
    if estimated:
        said = f"If lists covered {less} less of {rival}'s incidents in its regions than is believed, it would change."
    return Margin("suppression", basis.leader, loss, before, loss, 0.0, "share", said, "draws")


def _unnoticed_note(basis: Basis, escape: float | None, p_first: pd.Series) -> str:
    """Say what the leader gains; ``p_first`` is its probability by reporting."""
    name, what = basis.names[basis.leader], "what it does in its regions"
    if counts_unlisted(basis):
        what = "reports from its regions, nobody noticing,"
    if p_first.loc[1.0] < basis.confidence:
        least = min(RHO)
        return (
            f"{name} does not clear {basis.confidence:g} as it is. By hiding {100 * (1 - least):.0f} % of {what} it "
            f"would be first with probability {p_first.loc[least]:.2f}, not {p_first.loc[1.0]:.2f}."
        )
    if escape is None:
        return f"By hiding {what} {name} does not escape."
    return (
        f"By hiding {100 * (1 - escape):.0f} % of {what} {name} brings its probability of being first below "
        f"{basis.confidence:g}."
    )


def _noticed_note(basis: Basis, noticed: pd.DataFrame) -> str:
    if noticed.empty:
        return "What the lists themselves would notice of that takes a refit: allow some by --refits."
    found = ". ".join(
        f"{100 * (1 - row['reporting']):.0f} % silenced, {row['lost']} incidents lost: "
        f"{Probability(row['p_first'], row['mcse'])}; {row['p_unnoticed']:.2f} if nobody noticed"
        for row in noticed.to_dict("records")
    )
    return f"Fitted again to what is left of the lists, {basis.names[basis.leader]} is first with: {found}."


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw both curves."""
    from violencescore.report.robustness_figures import curves

    table = finding.tables["curve"]
    labels = {
        "hidden": "reporting of its incidents in its regions, times this (the rest counted)",
        "gained": "reporting in its regions from now on, times this (nobody notices)",
    }
    return {
        f"suppression-{what}": curves(
            table[table["what"] == what], "reporting", "p_first", names, x_label=label, y_label="P(first)", reverse=True
        )
        for what, label in labels.items()
    }


PART = Part("suppression", "What if less was reported where an organization is at home?", True, examine, draw)
