"""Distribution networks as an assessment of their own, whose incidents are networks and whose harm is the flow.

Who runs a network is as uncertain as who did an incident, and is known from evidence of the same kind: so the same
model of attribution is fitted to it, apart from the incidents. There is one period, since nothing of the networks is
dated finely: rates, reach and accuracies are learned from the networks alone, from the priors that are stated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from violencescore.assessment import Assessment
from violencescore.methodology import Category, Harms, Methodology
from violencescore.names import WINDOW

FLOW = "flow"
STEPS = 1_000_000
"""Steps into which the flow of the largest network is cut: amounts become whole numbers, as the model counts them."""


def uses_networks(assessment: Assessment) -> bool:
    """Whether flows are to be learned from networks."""
    return len(assessment.networks) > 0 and assessment.methodology.flow.use != "estimates"


def network_assessment(assessment: Assessment) -> tuple[Assessment, float]:
    """Return the networks as an assessment, and the amount of flow that one of its counts stands for.

    ``settled_id`` makes an adjudication; ``low`` and ``high`` bound the flow as they bound a count of victims.
    """
    networks = assessment.networks.rename(columns={"network_id": "incident_id"})
    methodology = _methodology(assessment.methodology)
    start = pd.Series(pd.NaT, index=networks.index, dtype="datetime64[us]")
    if methodology.window is not None:
        start = start.fillna(pd.Timestamp(methodology.window.start))
    worth = float(networks["high"].max()) / STEPS
    counts = {
        name: np.maximum(np.rint(networks[name].to_numpy() / worth), 1).astype(np.int64)
        for name in ("low", "best", "high")
    }
    settled = networks[networks["settled_id"] != ""]
    adjudications = pd.DataFrame(
        {
            "incident_id": settled["incident_id"],
            "organization_id": settled["settled_id"],
            "false_flag": pd.Series(False, index=settled.index, dtype="boolean"),
            "framed_id": "",
            "inclusion_probability": np.nan,
        }
    )
    return replace(
        assessment,
        methodology=methodology,
        organizations=_undated(assessment.organizations),
        incidents=networks[["incident_id", "region"]].assign(date_start=start, date_end=start, period=WINDOW),
        harms=networks[["incident_id"]].assign(category=FLOW, element=FLOW, victim_role="", **counts),
        evidence=assessment.network_evidence.rename(columns={"network_id": "incident_id"}),
        adjudications=adjudications.reset_index(drop=True),
        reports=assessment.reports.iloc[:0],
        links=assessment.links.iloc[:0],
        events=assessment.events.iloc[:0],
        networks=assessment.networks.iloc[:0],
        messages=(),
    ), worth


def _methodology(methodology: Methodology) -> Methodology:
    """The choices that bear on networks: channels, priors, sampling. The flow is the one category; no baseline."""
    window = methodology.window
    return Methodology(
        id=methodology.id,
        version=methodology.version,
        elements=(FLOW,),
        victim_roles=(),
        window=None if window is None else window.model_copy(update={"baseline_start": None}),
        category=(Category(element=FLOW, weight=1.0),),
        channels=methodology.channels,
        false_flag=methodology.false_flag,
        harms=Harms(precedence=()),
        priors=methodology.priors,
        sampling=methodology.sampling,
    )


def _undated(organizations: pd.DataFrame) -> pd.DataFrame:
    """The organizations without dates and parents: networks are not dated finely enough to tell them apart."""
    never = pd.Series(pd.NaT, index=organizations.index, dtype="datetime64[us]")
    return organizations.assign(active_from=never, active_to=never, parent_id="")
