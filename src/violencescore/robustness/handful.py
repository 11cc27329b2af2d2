"""A handful of incidents: the smallest set found whose removal changes the verdict.

Removing an incident takes away its harm, and what it taught the model. The first follows from who did it in each
draw. The second is taken to first order: a small change of the weight of an incident moves the mean of a score by its
covariance with the log likelihood of the incident (the infinitesimal jackknife of Giordano and Broderick 2023; sets
chosen by such influences: Broderick, Giordano and Meager 2020). The set is an upper bound: a smaller one may exist.
Refits say at which size the verdict changes indeed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from violencescore.montecarlo import FloatArray, Probability
from violencescore.robustness.basis import Basis, Verdict, lead_shares, weighted_probability
from violencescore.robustness.changed import Refit, refit, without_incidents
from violencescore.robustness.findings import Finding, Part, described
from violencescore.robustness.margins import Margin
from violencescore.robustness.searching import Search, least_number, reweighted_number
from violencescore.robustness.worlds import Worlds, how, importance, learned
from violencescore.sampling import Progress, no_progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 80
"""The largest set that is looked for."""

_CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class Removal:
    """What is expected of the verdict without some incidents, to first order.

    Attributes
    ----------
    incidents
        Their places among the incidents of the window, in the order in which they were chosen.
    p_first
        Of the organization whose probability was moved.
    verdict
        What the rule says then.
    """

    incidents: tuple[int, ...]
    p_first: Probability
    verdict: Verdict


def lessons(worlds: Worlds) -> FloatArray:
    """Return what the scores lose, on average, when the model does not learn from an incident (incident, organization).

    See `worlds.learned`.
    """
    groups = worlds.design.incident_group[worlds.incident]
    kept, place = np.unique(groups, return_inverse=True)
    return learned(worlds.totals(), worlds.log_density[..., kept])[place]


def influence(worlds: Worlds, focus: int, taught: FloatArray, removed: Sequence[int] = ()) -> FloatArray:
    """Return how far the removal of each incident moves the mean lead of an organization over the best of the others.

    Parameters
    ----------
    focus
        Index of the organization among the rankable ones.
    taught
        As by `lessons`.
    removed
        Incidents that are gone already.
    """
    n = worlds.shape[0] * worlds.shape[1]
    totals = worlds.without(removed).reshape(n, -1)
    organization = np.full(len(worlds.design.actors), -1)
    organization[worlds.ranked] = np.arange(len(worlds.ranked))
    others = np.delete(totals, focus, axis=1)
    best, second = _two_highest(others)
    rivals = np.delete(np.arange(totals.shape[1]), focus)
    rival = rivals[others.argmax(axis=1)] if len(rivals) else np.full(n, -2)
    size = worlds.size.reshape(n, -1)
    actor, value = worlds.actor.reshape(n, -1), worlds.value.reshape(n, -1)
    found = np.empty(value.shape[1])
    for at in range(0, value.shape[1], step := max(1, _CHUNK // n)):
        who = organization[actor[:, at : at + step]]
        loss = value[:, at : at + step] / size[np.arange(n)[:, None], np.maximum(who, 0)]
        mine = np.where(who == focus, loss, 0.0)
        theirs = np.where(who == rival[:, None], np.minimum(loss, (best - second)[:, None]), 0.0)
        found[at : at + step] = (theirs - mine).mean(axis=0)
    weight = np.bincount(rival[rival >= 0], minlength=totals.shape[1]) / n
    found += taught @ weight - taught[:, focus]
    found[list(removed)] = 0.0
    return found


def _two_highest(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    if values.shape[1] < 2:
        best = values[:, 0] if values.shape[1] else np.zeros(len(values))
        return best, np.zeros(len(values))
    top = np.partition(values, -2, axis=1)[:, -2:]
    return top[:, 1], top[:, 0]


def remove(basis: Basis, removed: Sequence[int], focus: int, taught: FloatArray) -> Removal:
    """Return what is expected of the verdict without some incidents."""
    totals = basis.worlds.without(removed) - taught[list(removed)].sum(axis=0)
    shares = lead_shares(totals, basis.methodology.decision.margin)[..., focus]
    return Removal(tuple(removed), weighted_probability(shares), basis.verdict_of(totals))


def ordered(
    basis: Basis, focus: int, sign: int, taught: FloatArray, most: int = MOST, progress: Progress = no_progress
) -> list[int]:
    """Return the incidents whose removal moves an organization's lead most, together, one after the other.

    Parameters
    ----------
    focus, sign
        Whose lead to move, and whether up (1) or down (-1).
    """
    removed: list[int] = []
    most = min(most, len(basis.worlds.incident) - 1)
    while len(removed) < most:
        progress("handful", len(removed), most)
        moved = sign * influence(basis.worlds, focus, taught, removed)
        moved[removed] = -np.inf
        # Anew for each of the first, then ever more at once: what one takes away hardly changes the others' order.
        for i in np.argsort(-moved, kind="stable")[: max(1, len(removed) // 4)]:
            if moved[i] <= 0 or len(removed) == most:
                return removed
            removed.append(int(i))
    return removed


def directions(basis: Basis) -> tuple[tuple[int, int], ...]:
    """Return whose P(first) may change the verdict, and in which direction: (organization, sign)."""
    order = np.argsort([-basis.decision.p_first[i].p for i in basis.ids], kind="stable")
    if basis.decision.outcome == "selected":
        return ((int(order[0]), -1),)
    return tuple((int(k), 1) for k in order[:2])


def set_table(basis: Basis, found: Sequence[Removal], focus: int) -> pd.DataFrame:
    """Return the incidents of a set, in the order in which they were chosen.

    Parameters
    ----------
    found
        What is expected without the first, without the first two, and so on.

    Returns
    -------
    pandas.DataFrame
        incident_id, date, region, kind, likeliest_id (who probably did it), p (its probability), harm (mean weighted),
        and what P(first) is expected to be once it and those above it are gone.
    """
    design = basis.worlds.design
    dates = basis.tables.incidents.set_index("incident_id")["date_start"]
    rows = []
    for removal in found:
        i = removal.incidents[-1]
        group = design.incident_group[basis.worlds.incident[i]]
        actor = basis.worlds.actor[..., i]
        shares = np.bincount(actor.ravel(), minlength=len(design.actors)) / actor.size
        likely = int(shares.argmax())
        identity = str(design.incident_id[basis.worlds.incident[i]])
        rows.append(
            (
                *(identity, dates[identity].date().isoformat(), design.regions[design.groups.region[group]]),
                *(design.kinds[design.groups.kind[group]], design.actors[likely], float(shares[likely])),
                *(float(basis.worlds.value[..., i].mean()), removal.p_first.p, removal.p_first.mcse),
            )
        )
    columns = ["incident_id", "date", "region", "kind", "likeliest_id", "p", "harm", "p_first", "mcse"]
    name = basis.names[basis.ids[focus]]
    table = pd.DataFrame(rows, columns=columns)
    estimand = f"P({name} first) once the incident and those above it are gone"
    return described(table, estimand, basis.worlds.first_order)


def examine(basis: Basis, progress: Progress) -> Finding:
    """Look for the smallest set, and refit without it."""
    taught = lessons(basis.worlds)
    options = []
    for focus, sign in directions(basis):
        order = ordered(basis, focus, sign, taught, progress=progress)
        options.append((focus, order, _guess(basis, order, focus, taught)))
    progress("handful", 1, 1)
    focus, order, guess = min(options, key=lambda option: option[2])
    ids = basis.worlds.design.incident_id[basis.worlds.incident]

    def fit(n: int) -> Refit:
        return refit(basis, without_incidents(basis.tables, [ids[i] for i in order[:n]]), f"without {n}", progress)

    found, k = reweighted_number(
        lambda n: _reweighted(basis, order[:n]), basis.verdict, guess if guess <= len(order) else None, len(order)
    )
    guess = len(order) + 1 if found is None else found
    n_refits = basis.n_refits if guess <= len(order) else 0
    search = least_number(fit, basis.verdict, guess, len(order), n_refits)
    size = search.least if search.least is not None else min(guess, len(order))
    steps = [remove(basis, order[:n], focus, taught) for n in range(1, size + 1)]
    tables = {"set": set_table(basis, steps, focus), "refits": search.table(basis, "removed")}
    expected = guess if guess <= len(order) else None
    margin, note = _margin(basis, search, expected, k, focus, [str(ids[i]) for i in order[:size]])
    return Finding("handful", tables, (margin,), (note,))


def _reweighted(basis: Basis, removed: Sequence[int]) -> tuple[Verdict, float]:
    """Return the verdict without some incidents, the draws weighted by one over their likelihood, and Pareto's k."""
    weight, k = importance(-basis.worlds.log_density_of(removed))
    return basis.verdict_of(basis.worlds.without(removed), weight), k


def _guess(basis: Basis, order: Sequence[int], focus: int, taught: FloatArray) -> int:
    """Return how many must go for the verdict to change, to first order; one more than there are if all do not."""
    sizes = range(1, len(order) + 1)
    changed = (n for n in sizes if remove(basis, order[:n], focus, taught).verdict != basis.verdict)
    return next(changed, len(order) + 1)


def _margin(
    basis: Basis, found: Search, expected: int | None, k: float, focus: int, ids: Sequence[str]
) -> tuple[Margin, str]:
    value, method = found.value(expected), found.method(basis.worlds.first_order if np.isnan(k) else how(k))
    if np.isinf(value):
        said = f"No set of up to {MOST} incidents was found whose removal changes the verdict."
    elif np.isnan(value):
        said = "A removal that was expected to change the verdict did not, when fitted again; more refits would tell."
    else:
        said = f"Without {value:.0f} of {len(basis.worlds.incident)} incidents, listed, the verdict would be another."
    shown = f"{', '.join(ids[:10])}{' and more' if len(ids) > 10 else ''}"
    note = f"{said} They are {shown}." if np.isfinite(value) else said
    if found.tried:
        note += f" {found.sentence(basis, 'without')}"
    low = found.low(value)
    return Margin("handful", basis.ids[focus], value, low, value, 0.0, "incidents", said, method), note


def draw(finding: Finding, names: Mapping[str, str]) -> dict[str, Figure]:
    """Draw P(first) as the incidents of the set go one by one."""
    from violencescore.report.robustness_figures import bars

    table = finding.tables["set"].head(30)
    labels = [
        f"{row.incident_id}  {row.kind}  ({names.get(str(row.likeliest_id), row.likeliest_id)} {row.p:.2f})"
        for row in table.itertuples()
    ]
    label = "P(first) expected once it and those above it are gone"
    shares = table["p_first"].tolist()
    return {"handful": bars(labels, shares, x_label=label, texts=[f"{share:.2f}" for share in shares])}


PART = Part("handful", "Which handful of incidents decides?", True, examine, draw)
