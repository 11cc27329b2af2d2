"""Variants of the model of attribution, compared by how well they foresee an incident they have not seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.bench.likelihood import log_likelihood, thin_draws
from violencescore.design import Design
from violencescore.errors import Fault, InputError
from violencescore.methodology import Methodology

N_DRAWS = 1000
"""Draws on which the pointwise densities are computed, all chains together."""

VARIANTS: Mapping[str, str] = MappingProxyType(
    {
        "no-false-flags": "nobody stages anything: what a channel says is about who did it",
        "equal-reach": "every channel speaks as often, whoever did it",
        "equal-notoriety": "wrong names fall on all alike",
        "equal-presence": "everybody is spread over the regions alike",
        "free-confusion": "a channel may take one organization for another more often than fame says, pair by pair",
    }
)
"""Simpler models, each without one thing that the model has; and one with more freedom than the shipped ones."""

_NEGLIGIBLE, _FREE = 0.01, 1.0


def variant_methodology(methodology: Methodology, variant: str) -> Methodology:
    """Return the methodology with one thing taken out of the model, or set free.

    Raises
    ------
    InputError
        If no variant has this name.
    """
    if variant not in VARIANTS:
        rule = f"no variant has this name; choose among {', '.join(VARIANTS)}"
        raise InputError([Fault("--compare", rule, value=variant)])
    if variant == "no-false-flags":
        channels = {name: c.model_copy(update={"forgeable": False}) for name, c in methodology.channels.items()}
        return methodology.model_copy(update={"channels": channels})
    scale = {
        "equal-reach": {"reach_scale": _NEGLIGIBLE},
        "equal-notoriety": {"notoriety_scale": _NEGLIGIBLE},
        "equal-presence": {"presence_scale": _NEGLIGIBLE},
        "free-confusion": {"confusion_scale": _FREE},
    }[variant]
    return methodology.model_copy(update={"priors": methodology.priors.model_copy(update=scale)})


def incident_loo(design: Design, posterior: xr.Dataset, n_draws: int = N_DRAWS) -> Any:
    """Return the leave-one-out predictive density of the incidents (``arviz_stats.ELPDData``, pointwise).

    Pareto-smoothed importance sampling (Vehtari, Gelman, Gabry 2017; Vehtari et al. 2024). Incidents of one group have
    the same density, so that each group is computed once and counted as often as it has incidents. What is foreseen is
    said in ``likelihood.log_likelihood``: kind, region, period and evidence, the number of incidents being given.

    Parameters
    ----------
    posterior
        Named quantities (chain, draw, ...).
    """
    from arviz_stats import loo
    from arviz_stats.utils import ELPDDataLOO
    from scipy.special import logsumexp

    draws = thin_draws(posterior, n_draws)
    density = log_likelihood(design, draws)
    density = density.assign_coords(chain=np.arange(density.sizes["chain"]), draw=np.arange(density.sizes["draw"]))
    # LOO asks for a posterior beside the densities, of which it takes the relative efficiency.
    tree = xr.DataTree.from_dict(
        {
            "posterior": draws[["accuracy"]].assign_coords(chain=density["chain"], draw=density["draw"]),
            "log_likelihood": density.to_dataset(),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of, unreliable incidents, is counted in the table
        by_group = loo(tree, pointwise=True)
    at = design.incident_group
    elpd, khat = by_group.elpd_i.values[at], by_group.pareto_k.values[at]
    n_samples = density.sizes["chain"] * density.sizes["draw"]
    lppd = logsumexp(density.values, axis=(0, 1)) - np.log(n_samples)
    coords = {"incident": np.asarray(design.incident_id, dtype=str)}
    return ELPDDataLOO(
        elpd=float(elpd.sum()),
        se=float(np.sqrt(len(elpd) * np.var(elpd, ddof=1))) if len(elpd) > 1 else float("nan"),
        p=float((lppd[at] - elpd).sum()),
        n_samples=n_samples,
        n_data_points=len(elpd),
        scale="log",
        warning=bool((khat > by_group.good_k).any()),
        good_k=by_group.good_k,
        elpd_i=xr.DataArray(elpd, dims="incident", coords=coords),
        pareto_k=xr.DataArray(khat, dims="incident", coords=coords),
    )


def compare_variants(found: Mapping[str, Any]) -> pd.DataFrame:
    """Return variants by their leave-one-out density, best first, with stacking weights (Yao et al. 2018).

    Parameters
    ----------
    found
        Name -> what `incident_loo` returns, all of the same incidents.

    Returns
    -------
    pandas.DataFrame
        Index variant; rank, elpd, p, elpd_diff, weight, se, dse, and n_bad: incidents whose importance weights have too
        heavy a tail to be relied on.

    Raises
    ------
    ValueError
        If the variants were not computed on the same incidents.
    """
    from arviz_stats import compare

    ids = [tuple(loo.elpd_i["incident"].values) for loo in found.values()]
    if len(set(ids)) > 1:
        raise ValueError("variants can be compared only on the same incidents")
    table = compare(dict(found), round_to="none")
    bad = {name: int((loo.pareto_k > loo.good_k).sum()) for name, loo in found.items()}
    kept = [c for c in ("rank", "elpd", "p", "elpd_diff", "weight", "se", "dse") if c in table]
    found_table: pd.DataFrame = table[kept].assign(n_bad=[bad[str(name)] for name in table.index])
    return found_table
