"""Options of the model against all that could have happened, summed one by one."""

from __future__ import annotations

from itertools import product
from math import exp, log

import numpy as np
import pandas as pd
import pytest
from design_cases import METHODOLOGY, build_case, read_case
from test_kernel import HARMS, INCIDENTS, by_label, log_likelihood, log_sum, random_vector

from violencescore.assessment import Assessment
from violencescore.design import Design
from violencescore.model.kernel import Kernel
from violencescore.model.quantities import quantities

DAY = pd.Timedelta(days=1)
DATED = [
    "organization_id,name,rankable,parent_id,active_from,active_to",
    *("a,Alpha,true,,,2026-08-10", "b,Beta,true,a,2026-07-03,", "c,Gamma,true,,,"),
]
NAMED = ["i0,claim,b,,", "i0,press,b,1,", "i0,press,a,2,", "i1,ballistics,a,x,", "i5,press,c,,", "j0,claim,a,,"]
ECHOED = ["i0,press,b,4,", "i0,ballistics,b,6,", "i0,ballistics,a,7,", "i2,press,a,1,", "i2,press,c,2,"]
OPTIONS = (
    METHODOLOGY
    + """
[channels.press]
echoes = [1, 4]

[channels.ballistics]
echoes = [1, 4]

[episodes]
repeat = [2, 2]
days = 2

[factions]
old_name = [2, 2]

[false_flag]
parts = 2
by_element = true
hiding = 0.5
"""
)


def option_case(**tables: list[str]) -> tuple[Assessment, Design, Kernel]:
    given = {"organizations": DATED, "incidents": INCIDENTS, "harms": HARMS, "evidence": [*NAMED, *ECHOED]} | tables
    assessment = read_case(OPTIONS, **given)
    return assessment, *build_case(assessment)


def share_before(
    assessment: Assessment, channels: tuple[str, ...], incident: str
) -> list[tuple[str, str, float | None]]:
    """Channel and name of each piece on an incident, and the share of those before it that say the same."""
    rows = assessment.evidence[assessment.evidence["incident_id"] == incident]
    earlier: list[str] = []
    found: list[tuple[str, str, float | None]] = []
    for channel in channels:
        names = rows.loc[rows["channel"] == channel, "organization_id"].tolist()
        distinct = sorted(set(names))
        for i, name in enumerate(distinct):
            pool = len(earlier) + len(distinct) - 1
            alone = not earlier and i == 0
            found.append((channel, name, None if alone else earlier.count(name) / pool))
            again = (earlier.count(name) + 1) / (len(earlier) + len(distinct))
            found += [(channel, name, again)] * (names.count(name) - 1)
        earlier += names
    return found


def joint(assessment: Assessment, design: Design, kernel: Kernel, vector: np.ndarray) -> float:
    """Sum over all perpetrators of all incidents together, the false flag of each summed on its own."""
    named = by_label(quantities(kernel, design, vector[None, None]).isel(chain=0, draw=0))
    methodology, actors = assessment.methodology, design.actors
    organizations = assessment.organizations.set_index("organization_id")
    kind_of = {
        i: min(rows["category"], key=methodology.category_labels.index)
        for i, rows in assessment.harms.groupby("incident_id")
    }

    def base(channel: str, name: str, seen: str) -> float:
        if name == seen:
            return named["accuracy"][channel,]
        fame = named["notoriety"][channel, name]
        if seen == "other" and not design.other_is_named:
            return fame
        return (1 - named["accuracy"][channel,]) * fame / (1 - named["notoriety"][channel, seen])

    def naming(channel: str, name: str, seen: str) -> float:
        if ("old_name" in named) and (seen,) in named["old_name"]:
            old = named["old_name"][seen,]
            elder = str(organizations.loc[seen, "parent_id"])
            return (1 - old) * base(channel, name, seen) + old * base(channel, name, elder)
        return base(channel, name, seen)

    def evidence(incident: str, seen: str, forgeable: bool) -> float:
        said = share_before(assessment, design.channels, incident)
        value = 1.0
        for channel in design.channels:
            if methodology.channels[channel].forgeable != forgeable:
                continue
            own = [p for p in said if p[0] == channel]
            silent = 1 - named["reach"][channel, seen]
            earlier = design.channels[: design.channels.index(channel)]
            if (channel,) in named["follow"] and any(p[0] in earlier for p in said):
                silent *= 1 - named["follow"][channel,]
            value *= 1 - silent if own else silent
            for _, name, share in own:
                p = naming(channel, name, seen)
                if share is not None and (channel,) in named["echo"]:
                    echo = named["echo"][channel,]
                    p = (1 - echo) * p + echo * share
                value *= p
        return value

    def existed(k: str, row: object) -> float:
        if k == "other":
            return 1.0
        density = existed_at_all(k, row)
        if k == "a" and row.period == "window":  # until b splits off on 3 July, 2 days; then the other 39 of its days
            kept = named["kept"]["a",]
            before, after = 2, 39
            density *= (
                (before + after)
                / (before + after * kept)
                * (kept if row.date_start >= pd.Timestamp("2026-07-03") else 1)
            )
        return density

    def existed_at_all(k: str, row: object) -> float:
        first, last = organizations.loc[k, "active_from"], organizations.loc[k, "active_to"]
        start, end = {
            "baseline": (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-07-01")),
            "window": (pd.Timestamp("2026-07-01"), pd.Timestamp("2026-08-27")),
        }[row.period]
        born = start if pd.isna(first) else max(first, start)
        gone = end if pd.isna(last) else min(last + DAY, end)
        inside = born <= row.date_start < gone
        return ((end - start) / (gone - born)) if inside else 0.0

    incidents = list(assessment.incidents.itertuples())
    elements = [label.partition(":")[0] for label in design.kinds]
    weights, likelihoods = [], []
    for row in incidents:
        weight = {
            k: named["rate"][kind_of[row.incident_id], row.period, k]
            * named["presence"][row.region, k]
            * existed(k, row)
            for k in actors
        }
        part = "window 1 of 2" if row.date_start < pd.Timestamp("2026-07-29T12:00") else "window 2 of 2"
        stratum = f"{row.period if row.period == 'baseline' else part}, {elements[design.kinds.index(kind_of[row.incident_id])]}"
        seen = {m: evidence(row.incident_id, m, forgeable=True) for m in actors}
        likelihood = {}
        for k in actors:
            share = named["false_flag"][stratum, k]
            forged = (1 - share) * seen[k] + share * sum(named["target"][k, m] * seen[m] for m in actors if m != k)
            likelihood[k] = (existed(k, row) > 0) * evidence(row.incident_id, k, forgeable=False) * forged
        weights.append(weight)
        likelihoods.append(likelihood)

    order = sorted(range(len(incidents)), key=lambda i: (incidents[i].date_start, i))
    parents: dict[int, tuple[int, float]] = {}
    for at, i in enumerate(order):
        before = [j for j in order[:at] if incidents[j].region == incidents[i].region]
        if before:
            apart = (incidents[i].date_start - incidents[before[-1]].date_start) / DAY
            if apart <= 6:
                parents[i] = before[-1], named["episode"]["region",] * exp(-apart / 2)
    total = -sum(named["rate"].values())
    terms = []
    for who in product(actors, repeat=len(incidents)):
        value = 1.0
        for i, k in enumerate(who):
            share = weights[i][k] / sum(weights[i].values())
            if i in parents:
                above, repeat = parents[i]
                share = repeat * (who[above] == k) + (1 - repeat) * share
            value *= sum(weights[i].values()) * share * likelihoods[i][k]
        if value > 0:
            terms.append(log(value))
    return total + log_sum(terms)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_likelihood_with_options_is_the_sum_over_all_that_could_have_happened(seed: int) -> None:
    assessment, design, kernel = option_case()
    assert design.strata == (
        *("baseline, killing", "baseline, extortion", "baseline, intimidation"),
        *("window 1 of 2, killing", "window 1 of 2, extortion", "window 1 of 2, intimidation"),
        *("window 2 of 2, killing", "window 2 of 2, extortion", "window 2 of 2, intimidation"),
    )
    assert len(design.nodes.group) == 5
    vector = random_vector(kernel, seed)
    # Days that an organization did not live count in no rate: the rates of the kernel know that.
    assert log_likelihood(kernel, vector) == pytest.approx(joint(assessment, design, kernel, vector), rel=1e-10)
