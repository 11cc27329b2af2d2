"""Distribution networks of a simulated world: who runs each, how much flows through it, and what is known of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from violencescore.simulation.chance import Ints, choose_rows, softmax
from violencescore.simulation.evidence import evidence_table, simulate_evidence, texts
from violencescore.simulation.incidents import Incidents
from violencescore.simulation.worlds import ChannelWorld, World

SUPPLY_CHANNELS: Mapping[str, ChannelWorld] = MappingProxyType(
    {
        "press": ChannelWorld(0.40, 0.60),
        "intelligence": ChannelWorld(0.55, 0.80),
        "confession": ChannelWorld(0.25, 0.90),
    }
)
"""What is heard of networks: nobody stages one."""

SETTLED = 0.1
"""Share of networks of which a court settled who runs them."""
WIDTH = 0.3
"""Log sd of an estimate of a flow, of which (low, high) are the central 90 %."""
LEVEL, SPREAD = 3.0, 0.8
"""Mean and sd of the log of a network's flow, in tonnes."""
UNIT = "tonnes"


@dataclass(frozen=True)
class Supply:
    """The tables `networks` and `network_evidence`, and the truth.

    Attributes
    ----------
    truth
        organization_id (``other`` last), flow (the true total of its networks), share.
    truth_networks
        network_id, organization_id, flow.
    """

    networks: pd.DataFrame
    network_evidence: pd.DataFrame
    truth: pd.DataFrame
    truth_networks: pd.DataFrame


def simulate_supply(world: World, rng: np.random.Generator) -> Supply:
    """Draw the networks of a world, each run by one organization, where that one is strong."""
    n, n_actors = world.networks, len(world.ids)
    strength = softmax(rng.normal(0, 0.8, n_actors))
    presence = softmax(rng.normal(0, world.presence_scale, (n_actors, world.n_regions)))
    owner = rng.choice(n_actors, n, p=strength)
    region = choose_rows(presence, owner, rng)
    flow = np.exp(rng.normal(LEVEL, SPREAD, n))
    best = flow * np.exp(rng.normal(0, WIDTH, n))
    labels = pd.Series([f"N{i:03d}" for i in range(n)], dtype="str")
    names = pd.Series([*world.ids, ""], dtype="str")
    nothing = np.full(n, -1)
    settled = np.where(rng.random(n) < SETTLED, owner, n_actors)
    networks = pd.DataFrame(
        {
            "network_id": labels,
            "region": texts(pd.Series([f"R{r + 1:02d}" for r in range(world.n_regions)], dtype="str"), region),
            "best": best.round(2),
            "low": (best * np.exp(-1.645 * WIDTH)).round(2),
            "high": (best * np.exp(1.645 * WIDTH)).round(2),
            "unit": UNIT,
            "settled_id": texts(names, settled),
        }
    )
    heard = replace(world, channels=SUPPLY_CHANNELS, famous=0.0, hidden=0.0, echoed=0.0, split=0.0)
    happened = Incidents(
        perpetrator=owner,
        kind=np.zeros(n, dtype=np.int64),
        region=region,
        period=np.ones(n, dtype=np.int64),
        staged=np.zeros(n, dtype=bool),
        framed=nothing,
        order=np.argsort(-strength[:-1]),
        rate=np.zeros((n_actors, 1, 2, world.n_regions)),
        episode=nothing,
    )
    rows = evidence_table(heard, simulate_evidence(heard, happened, np.ones(n, dtype=bool), rng, rng), labels, rng)
    return Supply(
        networks=networks,
        network_evidence=rows.rename(columns={"incident_id": "network_id"}),
        truth=_truth(world, owner, flow),
        truth_networks=pd.DataFrame({"network_id": labels, "organization_id": texts(names, owner), "flow": flow}),
    )


def _truth(world: World, owner: Ints, flow: np.ndarray) -> pd.DataFrame:
    total = np.bincount(owner, weights=flow, minlength=len(world.ids))
    return pd.DataFrame({"organization_id": list(world.ids), "flow": total, "share": total / total.sum()})
