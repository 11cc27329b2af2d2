"""Units and flows on the terminal and as JSON: other published trees, who counts with whom, what sub-units share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from violencescore.cohesion import MEASURES, Cohesion
from violencescore.montecarlo import Probability
from violencescore.report.text import MISSING, interval_text, shown_text
from violencescore.units import member_names, memberships, tree_names

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Group, RenderableType

    from violencescore.decision import Decision
    from violencescore.scenarios import ScenarioResult

_NAME_LIMIT = 60


def trees_json(
    posterior: xr.DataTree, decision: Decision, results: Mapping[str, ScenarioResult]
) -> list[dict[str, Any]]:
    """Return each published tree with its units, P(first) of each, and what the rule would say."""
    own = tree_names(posterior)[0]
    found = [
        {
            "tree": own,
            "verdict": True,
            "leader": decision.leader,
            "p_first": {key: vars(p) for key, p in decision.p_first.items()},
            "outcome": decision.outcome,
            "members": _members(posterior, own),
        }
    ]
    for tree, result in results.items():
        found.append(
            {
                "tree": tree,
                "verdict": False,
                "leader": result.leader,
                "p_first": {key: vars(p) for key, p in (result.p_first or {}).items()},
                "outcome": result.outcome(decision.confidence_required, decision.extend_within),
                "members": _members(posterior, tree),
            }
        )
    return found


def _members(posterior: xr.DataTree, tree: str) -> dict[str, list[str]]:
    """Who counts with whom on the last day: unit -> members."""
    found: dict[str, list[str]] = {}
    for member, (_, last) in memberships(posterior, tree).items():
        found.setdefault(last, []).append(member)
    return found


def with_units(
    rows: list[dict[str, Any]], posterior: xr.DataTree, results: Mapping[str, ScenarioResult]
) -> list[dict[str, Any]]:
    """Add to each row of a ranking, under ``units``, its unit in every other published tree and its P(first)."""
    places = {tree: memberships(posterior, tree) for tree in results}
    return [row | {"units": _row_units(str(row["organization_id"]), places, results)} for row in rows]


def _row_units(
    id_: str, places: Mapping[str, Mapping[str, tuple[str, str]]], results: Mapping[str, ScenarioResult]
) -> dict[str, Any]:
    found = {}
    for tree, result in results.items():
        unit = places[tree][id_][1]
        p = (result.p_first or {}).get(unit)
        found[tree] = {"unit": unit, "p_first": None if p is None else p.p, "mcse": None if p is None else p.mcse}
    return found


def trees_view(posterior: xr.DataTree, decision: Decision, results: Mapping[str, ScenarioResult]) -> Group:
    """Build the table of other published trees, and a sentence for each under which another is the likeliest first."""
    from rich.console import Group
    from rich.text import Text

    from violencescore.report.tables import plain_table

    own = tree_names(posterior)[0]
    caption = f"The verdict is made with the units of {own}. All trees are computed from the same draws."
    table = plain_table("Who counts as one: the same draws under other published trees", shown_text(caption))
    table.add_column("tree", min_width=12, overflow="fold")
    table.add_column("likeliest first", max_width=26, overflow="fold")
    table.add_column("P(1st)", justify="right", no_wrap=True)
    table.add_column("holds", overflow="fold")
    names = member_names(posterior)
    said = []
    for tree, result in results.items():
        leader = str(result.leader)
        p = (result.p_first or {}).get(leader)
        inside = [names[m] for m in _members(posterior, tree).get(leader, []) if m != leader]
        differs = leader not in (decision.leader, "None") and not _same(posterior, tree, leader, decision.leader)
        cells = [Text(shown_text(names.get(leader, MISSING), _NAME_LIMIT), style="bold yellow" if differs else "")]
        cells += [Text(MISSING if p is None else str(p)), Text(shown_text(", ".join(inside)) or "itself alone")]
        table.add_row(Text(shown_text(tree)), *cells)
        if differs:
            said.append(_other_first(tree, names[leader], p, names.get(str(decision.leader), "")))
    return Group(table, *([Text(), *(Text(shown_text(line)) for line in said)] if said else []))


def _same(posterior: xr.DataTree, tree: str, leader: str, verdict: str | None) -> bool:
    """Whether the verdict's leader is part of the leading unit."""
    return verdict is not None and memberships(posterior, tree).get(verdict, ("", ""))[1] == leader


def _other_first(tree: str, name: str, p: Probability | None, verdict: str) -> str:
    return f"Under {tree}, {name} would be the likeliest first ({p}), not {verdict}: who counts as one decides."


def cohesion_view(found: Sequence[Cohesion]) -> Group:
    """Build the table of what sub-units have in common."""
    from rich.console import Group
    from rich.text import Text

    from violencescore.report.tables import plain_table

    caption = (
        "The share of the variation (of log rates) that the sub-units of an organization have in common: near 1, "
        "violence is ordered at the top; near 0, each goes its own way. Learned: how much narrower than the prior."
    )
    table = plain_table("How centrally is violence ordered?", caption)
    table.add_column("what varies", overflow="fold")
    for heading in ("share", "90 % interval", "learned"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        row = one.to_json_dict()
        if row["median"] is None:
            cells = [MISSING] * 3
        else:
            ends = interval_text(f"{row['low']:.2f}", f"{row['high']:.2f}")
            cells = [f"{row['median']:.2f}", ends, f"{100 * max(row['contraction'], 0.0):.0f} %"]
        table.add_row(Text(MEASURES[one.measure]), *map(Text, cells))
    notes = dict.fromkeys(one.note for one in found if one.note)
    return Group(table, *(Text(note) for note in notes))


def flow_rows(posterior: xr.DataTree) -> list[dict[str, Any]]:
    """Return each organization's share of the flow and its flow: median and 90 % interval, largest first."""
    flows = posterior["flows"].to_dataset()
    tails = (0.05, 0.5, 0.95)
    share, listed, total = (
        np.quantile(flows[name].values.reshape(-1, flows.sizes["actor"]), tails, axis=0)
        for name in ("share", "listed", "total")
    )
    rows = [
        {
            "organization_id": str(actor),
            **{f"share_{end}": float(share[i, k]) for i, end in enumerate(("low", "median", "high"))},
            **{f"flow_{end}": float(total[i, k]) for i, end in enumerate(("low", "median", "high"))},
            "listed_median": float(listed[1, k]),
        }
        for k, actor in enumerate(flows["actor"].values)
    ]
    return sorted(rows, key=lambda row: -float(row["share_median"]))


def flows_json(posterior: xr.DataTree) -> dict[str, Any]:
    """Return the flows, who runs each network, and whether the fit of the networks converged."""
    flows = posterior["flows"].to_dataset()
    actors = [str(actor) for actor in flows["actor"].values]
    networks = {
        str(network): dict(zip(actors, (float(p) for p in row), strict=True))
        for network, row in zip(flows["network"].values, flows["p_network"].values, strict=True)
    }
    checks = {key: flows.attrs[key] for key in ("max_rhat", "min_ess", "reasons", "unit")}
    checks = {"converged": bool(flows.attrs["converged"]), **{k: _plain(v) for k, v in checks.items()}}
    return {"flows": flow_rows(posterior), "networks": networks, "diagnostics": checks}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def _percent(share: float) -> str:
    return "<1 %" if share < _ONE_PERCENT / 2 else f"{100 * share:.0f} %"


_ONE_PERCENT = 0.01


def flows_view(posterior: xr.DataTree, names: Mapping[str, str]) -> RenderableType:
    """Build the table of flows."""
    from rich.text import Text

    from violencescore.report.tables import plain_table, wide
    from violencescore.report.text import number_format

    flows = posterior["flows"].to_dataset()
    rows = flow_rows(posterior)
    unit = str(flows.attrs["unit"])
    state = "" if bool(flows.attrs["converged"]) else " The fit of the networks did NOT converge."
    caption = (
        f"From {flows.sizes['network']:,} networks: medians and 90 % intervals. What no listed network carries is "
        f"included, by its prior.{state}"
    )
    table = plain_table("Share of the drug flow", caption)
    table.add_column("organization", min_width=12, overflow="fold")
    for heading in ("share", "90 %", f"flow{f' ({shown_text(unit, 12)})' if unit else ''}", "90 %"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    shown = number_format([float(row[f"flow_{end}"]) for row in rows for end in ("low", "median", "high")])
    for row in rows:
        name = shown_text(names.get(row["organization_id"], row["organization_id"]), _NAME_LIMIT)
        shares = [_percent(float(row[f"share_{end}"])) for end in ("low", "median", "high")]
        amounts = [shown(row[f"flow_{end}"]) for end in ("low", "median", "high")]
        cells = [shares[1], interval_text(shares[0], shares[2]), amounts[1], interval_text(amounts[0], amounts[2])]
        table.add_row(Text(name), *map(Text, cells))
    return wide(table)
