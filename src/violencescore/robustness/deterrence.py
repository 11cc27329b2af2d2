"""Deterrence: does less violence lower an organization's chance of being named?

All of it follows from the draws of the verdict. If organization k had done the share c less, and all else had been the
same, its score in a draw would be S_k - c H_k (H_k: what it did of the elements in question), and it would be first
where that still exceeds the best of the others. So each draw has one *critical cut*, the least c at which k is no
longer first, and the distribution of the critical cut holds the whole curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from violencescore.montecarlo import FloatArray, effective_size
from violencescore.names import CATEGORY
from violencescore.ranks import N_ERRORS, best_other
from violencescore.robustness.basis import Basis, change, lead_shares, weighted_probability
from violencescore.robustness.escape import critical_cuts, cut_to
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.sampling import Progress
from violencescore.scenario_choices import split_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALL = "all"
"""In place of an element: everything an organization did."""

CUTS = tuple(round(0.05 * i, 2) for i in range(21))
CALM = (0.1, 0.25, 0.5, 1.0)
"""Cuts of which the matrix of who gains is shown; the last: it stops altogether."""

FEASIBLE = 0.5
"""The deepest cut of violence that is taken to be within an organization's power during a window."""

FELT = 0.02
"""A cut that moves P(first) by less than this is taken not to be felt."""


def by_element(basis: Basis) -> dict[str, FloatArray]:
    """Return what each element adds to each score, and all of them together: element -> (chain, draw, organization)."""
    parts = basis.parts_of_scores
    elements = [split_label(str(label))[0] for label in parts[CATEGORY].values]
    found = {ALL: parts.sum(CATEGORY).values}
    for element in dict.fromkeys(elements):
        own = np.array([e == element for e in elements])
        if (basis.weights.values > 0)[own].any():
            found[element] = parts.values[..., own].sum(axis=-1)
    return found


def gradient(gap: FloatArray, done: FloatArray) -> tuple[float, float]:
    """Return the change of P(gap > 0) per relative change of ``done``, and its Monte-Carlo error.

    d/dx P(gap + x done > 0) at x = 0 is the density of the gap at nought times the mean of ``done`` there. Both are
    taken with a normal kernel of Silverman's width (1986), so that elements add up to the whole.

    Parameters
    ----------
    gap, done
        (chain, draw).
    """
    n = float(effective_size(gap[np.newaxis])[0])
    low, high = np.quantile(gap, (0.25, 0.75))
    spread = min(float(gap.std()), float(high - low) / 1.349) or float(gap.std())
    if spread == 0.0:
        return 0.0, 0.0
    width = 0.9 * spread * n**-0.2
    each = np.exp(-0.5 * (gap / width) ** 2) / (width * np.sqrt(2 * np.pi)) * done
    independent = float(effective_size(each[np.newaxis])[0])
    return float(each.mean()), float(each.std() / np.sqrt(independent))


def gradient_table(basis: Basis) -> pd.DataFrame:
    """Return the gradient of P(first) by each organization's own violence, in all and by element.

    Returns
    -------
    pandas.DataFrame
        organization_id, element, p_first, gradient (change of P(first) for one per cent more violence of this kind, in
        percentage points), mcse.
    """
    margin = basis.methodology.decision.margin
    gaps = basis.values - (1 + margin) * best_other(basis.values)
    rows = []
    for element, done in by_element(basis).items():
        for k, organization in enumerate(basis.ids):
            slope, error = gradient(gaps[..., k], done[..., k])
            rows.append((organization, element, basis.decision.p_first[organization].p, slope, error))
    table = pd.DataFrame(rows, columns=["organization_id", "element", "p_first", "gradient", "mcse"])
    return described(
        table,
        "percentage points of P(first) for one per cent more of the organization's violence of this kind",
        "draws",
    )


def escape_curve(basis: Basis, cuts: Sequence[float] = CUTS) -> pd.DataFrame:
    """Return P(first) after each relative cut of an organization's own violence.

    Returns
    -------
    pandas.DataFrame
        organization_id, element, cut, p_first, mcse.
    """
    margin = basis.methodology.decision.margin
    rows = []
    for element, done in by_element(basis).items():
        for k, organization in enumerate(basis.ids):
            for cut in cuts:
                less = basis.values.copy()
                less[..., k] -= cut * done[..., k]
                found = weighted_probability(lead_shares(less, margin)[..., k])
                rows.append((organization, element, cut, found.p, found.mcse))
    table = pd.DataFrame(rows, columns=["organization_id", "element", "cut", "p_first", "mcse"])
    return described(table, "P(first) had the organization done this share less, all else equal", "draws")


def escape_margins(basis: Basis, levels: Sequence[float] | None = None) -> pd.DataFrame:
    """Return the least cut of an organization's violence that brings its P(first) below each level.

    Parameters
    ----------
    levels
        Probabilities; by default the required confidence and fixed ones below it.

    Returns
    -------
    pandas.DataFrame
        organization_id, level, cut (0 where P(first) is below already), low, high: cuts at which P(first) is two
        Monte-Carlo errors above and below the level.
    """
    levels = sorted({basis.confidence, 0.5, 0.25, 0.1, 0.05}, reverse=True) if levels is None else levels
    cuts = critical_cuts(basis.values, basis.values, basis.methodology.decision.margin)
    rows = []
    for k, organization in enumerate(basis.ids):
        for level in levels:
            rows.append((organization, level, *cut_to(cuts[..., k], level)))
    table = pd.DataFrame(rows, columns=["organization_id", "level", "cut", "low", "high"])
    return described(table, "least relative cut of the organization's violence with P(first) below the level", "draws")


def who_gains(basis: Basis, cuts: Sequence[float] = CALM) -> pd.DataFrame:
    """Return how P(first) of each organization changes when another calms down.

    Returns
    -------
    pandas.DataFrame
        organization_id (who calms down), cut, other_id (whose probability), change, mcse. The changes of one cut sum to
        nought where the stand-out margin is nought.
    """
    margin = basis.methodology.decision.margin
    before = lead_shares(basis.values, margin)
    rows = []
    for k, organization in enumerate(basis.ids):
        for cut in cuts:
            less = basis.values.copy()
            less[..., k] *= 1 - cut
            after = lead_shares(less, margin)
            for m, other in enumerate(basis.ids):
                rows.append((organization, cut, other, *change(before[..., m], after[..., m])))
    table = pd.DataFrame(rows, columns=["organization_id", "cut", "other_id", "change", "mcse"])
    return described(table, "change of P(other first) had the organization done this share less", "draws")


def dead_zones(curve: pd.DataFrame, feasible: float = FEASIBLE, felt: float = FELT) -> pd.DataFrame:
    """Return organizations and elements for which no feasible cut moves P(first) by as much as is felt.

    Parameters
    ----------
    curve
        As by `escape_curve`.

    Returns
    -------
    pandas.DataFrame
        organization_id, element, p_first, change (by the deepest feasible cut), dead, why: ``nothing to lose`` (it is
        hardly ever first) or ``no way out`` (it stays first).
    """
    rows = []
    for (organization, element), own in curve.groupby(["organization_id", "element"], sort=False):
        now = float(own.loc[own["cut"] == 0.0, "p_first"].iloc[0])
        reached = float(own.loc[own["cut"] <= feasible + 1e-9, "p_first"].iloc[-1])
        dead = now - reached < felt
        why = "" if not dead else "nothing to lose" if now < 0.5 else "no way out"
        rows.append((organization, element, now, reached - now, dead, why))
    table = pd.DataFrame(rows, columns=["organization_id", "element", "p_first", "change", "dead", "why"])
    return described(table, f"change of P(first) by a cut of {feasible:g}, the deepest that is feasible", "draws")


def bought_permission(basis: Basis, margins: pd.DataFrame) -> pd.DataFrame:
    """Return what growing instead of calming down buys, where scores are per revenue or flow.

    An intensity falls as much by growth as by restraint: whoever must cut its violence by c escapes as well by growing
    by c / (1 - c) at the same violence. That is a perverse incentive; the table says how large it is.

    Parameters
    ----------
    margins
        As by `escape_margins`.

    Returns
    -------
    pandas.DataFrame
        organization_id, level, cut, growth (relative, at unchanged violence, with the same effect); those only that are
        above the level. Empty where scores are totals.
    """
    kept = margins[(margins["cut"] > 0) if basis.methodology.score.per != "none" else margins["cut"] < 0]
    with np.errstate(divide="ignore"):
        growth = kept["cut"].to_numpy(float) / (1 - kept["cut"].to_numpy(float))
    table = kept[["organization_id", "level", "cut"]].assign(growth=growth).reset_index(drop=True)
    return described(table, "relative growth of revenue or flow that lowers P(first) as much as the cut", "draws")


def examine(basis: Basis, progress: Progress) -> Finding:
    """Answer all of it from the draws."""
    leader = basis.leader
    progress("deterrence", 0, 3)
    gradients, curve = gradient_table(basis), escape_curve(basis)
    progress("deterrence", 1, 3)
    margins = escape_margins(basis)
    progress("deterrence", 2, 3)
    tables = {
        "gradient": gradients,
        "escape": margins,
        "escape_curve": curve,
        "who_gains": who_gains(basis),
        "dead_zones": dead_zones(curve),
        "bought_permission": bought_permission(basis, margins),
    }
    progress("deterrence", 3, 3)
    return Finding("deterrence", tables, _margins(basis, leader, tables), _notes(basis, tables))


def _margins(basis: Basis, leader: str, tables: Mapping[str, pd.DataFrame]) -> tuple[Margin, ...]:
    own = tables["escape"]
    row = own[(own["organization_id"] == leader) & np.isclose(own["level"], basis.confidence)].iloc[0]
    name = basis.names[leader]
    cut, low, high = float(row["cut"]), float(row["low"]), float(row["high"])
    said = (
        f"Had {name} done {100 * cut:.0f} % less, it would no longer clear {basis.confidence:g}."
        if cut > 0
        else f"{name} does not clear {basis.confidence:g} as it is."
    )
    escape = Margin("escape_margin", leader, cut, low, high, (high - low) / (2 * N_ERRORS), "share", said, "draws")
    slopes = tables["gradient"]
    whole = slopes[(slopes["organization_id"] == leader) & (slopes["element"] == ALL)].iloc[0]
    slope, error = float(whole["gradient"]), float(whole["mcse"])
    ends = (slope - N_ERRORS * error, slope + N_ERRORS * error)
    said = f"Ten per cent less violence would lower the probability that {name} is first by {10 * slope:.1f} points."
    return escape, Margin("deterrence_gradient", leader, slope, *ends, error, "points per %", said, "draws")


def _notes(basis: Basis, tables: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    zones = tables["dead_zones"]
    notes = []
    for why, said in (
        ("nothing to lose", "have nothing to lose: no cut of half their violence is felt, they are hardly ever first"),
        ("no way out", "have no way out: they stay first even with half the violence"),
    ):
        ids = zones.loc[(zones["element"] == ALL) & (zones["why"] == why), "organization_id"]
        if len(ids):
            notes.append(f"{', '.join(basis.names[i] for i in ids)} {said}. The threat does not reach there.")
    if not tables["bought_permission"].empty:
        notes.append(
            f"Scores are per unit of {basis.methodology.score.per}: growing buys permission for violence, one for one."
        )
    return tuple(notes)


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw P(first) against the cut, and who gains when another calms down."""
    from violencescore.report.robustness_figures import curves, matrix

    whole = finding.tables["escape_curve"].query("element == @ALL")
    gains = finding.tables["who_gains"].query("cut == 0.25")
    square = gains.pivot(index="organization_id", columns="other_id", values="change")
    order = list(dict.fromkeys(gains["organization_id"]))
    return {
        "deterrence-escape": curves(
            whole, "cut", "p_first", names, x_label="cut of its own violence, all else equal", y_label="P(first)"
        ),
        "deterrence-who-gains": matrix(
            square.loc[order, order], names, row_label="does 25 % less", column_label="change of P(first)"
        ),
    }


PART = Part("deterrence", "Does less violence lower the chance of being named?", False, examine, draw)
