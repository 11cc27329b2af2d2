"""The panel one by one: who would be first by each panelist's own weights, and without each panelist.

The verdict rests on one set of weights: published, or pooled from the panel. Beside it stands what each panelist
alone would have found, so that no single one decides unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from violencescore.errors import RefusedError
from violencescore.methodology import Methodology
from violencescore.montecarlo import Probability
from violencescore.names import ORGANIZATION, PANELIST
from violencescore.ranks import rank_table
from violencescore.scores import pool_weights, score_draws

OF = "p_first_of_"
"""Before an organization's id: the column of its probability of being first by the panelist's own weights."""


def panel_table(posterior: xr.DataTree, methodology: Methodology) -> pd.DataFrame | None:
    """Return who is first by each panelist's own weights; None without a panel.

    Parameters
    ----------
    posterior
        What ``fit`` returns: group ``harms``, and ``weights`` with ``panel_weight`` (panelist, category).
    methodology
        Says the estimand, what scores are divided by, and whose weights the verdict rests on.

    Returns
    -------
    pandas.DataFrame
        A row for each panelist: panelist_id; leader, p_first and mcse by that panelist's weights alone;
        same_as_verdict, whether that leader is the verdict's likeliest; leader_without, p_first_without and
        mcse_without by the pooled weights of all others (empty unless the panel's weights are those that count and
        there are others); and p_first_of_<organization_id> by the panelist's own weights.
    """
    if "weights" not in posterior.children or posterior["harms"].sizes[ORGANIZATION] == 0:
        return None
    panel = posterior["weights"].to_dataset()["panel_weight"]
    verdict, _ = _leader(rank_table(score_draws(posterior, methodology)))
    rows = []
    for panelist in panel[PANELIST].values:
        ranking = rank_table(score_draws(posterior, methodology, weights=panel.sel({PANELIST: panelist})))
        leader, found = _leader(ranking)
        row = {
            "panelist_id": str(panelist),
            "leader": leader,
            "p_first": found.p,
            "mcse": found.mcse,
            "same_as_verdict": leader == verdict,
        }
        firsts = zip(ranking["organization_id"], ranking["p_first"].astype(float), strict=True)
        columns = {f"{OF}{organization}": p for organization, p in sorted(firsts)}
        rows.append(row | _without(posterior, methodology, panel, panelist) | columns)
    return pd.DataFrame(rows)


def _without(
    posterior: xr.DataTree, methodology: Methodology, panel: xr.DataArray, panelist: Any
) -> dict[str, str | float | None]:
    """Return who is first where the panelist is left out of the pool."""
    others = panel.sel({PANELIST: panel[PANELIST] != panelist})
    unknown: dict[str, str | float | None] = {"leader_without": None, "p_first_without": None, "mcse_without": None}
    if methodology.weights.use != "panel" or others.sizes[PANELIST] == 0:
        return unknown
    try:
        weights = pool_weights(others, methodology.weights)
    except RefusedError:  # the medians of those who are left are all zero
        return unknown
    leader, found = _leader(rank_table(score_draws(posterior, methodology, weights=weights)))
    return {"leader_without": leader, "p_first_without": found.p, "mcse_without": found.mcse}


def _leader(ranking: pd.DataFrame) -> tuple[str, Probability]:
    first = ranking.iloc[0]
    return str(first["organization_id"]), Probability(float(first["p_first"]), float(first["p_first_mcse"]))


def panel_sentences(table: pd.DataFrame, leader: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return in words whether any one panelist would change who is first.

    Parameters
    ----------
    table
        As by ``panel_table``.
    leader
        Id of the verdict's likeliest organization.
    names
        id -> name to show; ids and names come from the input and are not made harmless here.
    """
    n = len(table)
    found = [
        f"By the weights of panelist {row['panelist_id']} alone, {names[row['leader']]} is the likeliest first "
        f"({Probability(row['p_first'], row['mcse'])}), not {names[leader]}."
        for row in table[~table["same_as_verdict"]].to_dict("records")
    ]
    left_out = table[table["leader_without"].notna()]
    found += [
        f"Without panelist {row['panelist_id']}, {names[row['leader_without']]} would be the likeliest first "
        f"({Probability(row['p_first_without'], row['mcse_without'])}), not {names[leader]}: one panelist decides."
        for row in left_out[left_out["leader_without"] != leader].to_dict("records")
    ]
    if found:
        return tuple(found)
    who = "The one panelist's weights put" if n == 1 else f"Each of the {n} panelists' weights alone put"
    more = ", and leaving any one of them out changes nothing" if len(left_out) else ""
    return (f"{who} {names[leader]} first, as the weights that count do{more}.",)
