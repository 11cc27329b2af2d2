"""Decisions of every outcome and hostile names, for the tests of what people read."""

import numpy as np
import xarray as xr

from violencescore.decision import decide
from violencescore.methodology import shipped_methodology

KLEIMAN = shipped_methodology("kleiman-2011")
SCRIPT = "</script><script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    r"$\frac",
    "\u202eevil\u200f\u2066",
    "[bold red]x[/] \x1b[31m\r\nred",
    '"><img src=x onerror=alert(2)>',
    "حركة الشمال 名前 $x$ &amp; {{ 7*7 }}",
    "null\x00",
)
OUTCOMES = ("selected", "no_selection", "extend", "not_estimable")


def decision_with(counts, *, names=None, per="none", estimand="realized", scale=10.0, converged=True, **rule):
    """Decide over 4 x 1000 draws in which organization k is first in counts[k]."""
    n = len(counts)
    winners = np.random.default_rng(1).permutation(np.repeat(np.arange(n), counts))
    values = np.linspace(3, 2, n) + 4 * np.eye(n)[winners].reshape(4, -1, n)
    values = scale * (values + np.random.default_rng(2).uniform(0, 0.9, values.shape))
    ids = [f"g{k}" for k in range(n)]
    scores = xr.DataArray(values, dims=("chain", "draw", "organization"), coords={"organization": ids})
    methodology = KLEIMAN.model_copy(
        update={
            "decision": KLEIMAN.decision.model_copy(update=rule),
            "score": KLEIMAN.score.model_copy(update={"per": per, "estimand": estimand}),
        }
    )
    shown = dict(zip(ids, names or [f"Group {k}" for k in range(n)], strict=True))
    diagnostics = {"converged": converged, "max_rhat": 1.2, "min_ess": 9.0, "divergences": 3}
    return decide(scores, methodology, names=shown, diagnostics=diagnostics)


def spread_over(n):
    return [4000 - 100 * (n - 1), *[100] * (n - 1)]


DECISIONS = {
    "selected": decision_with([3900, 60, 40]),
    "no_selection": decision_with([1800, 1200, 1000]),
    "extend": decision_with([3400, 400, 200]),
    "not_estimable": decision_with([3900, 60, 40], converged=False),
}
