"""The simulator's worlds: what can be the matter with the data, as settings with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from violencescore.names import OTHER

ANNOUNCED = date(2026, 7, 1)
WINDOW_DAYS = 56
BASELINE_DAYS = 181
_NAMES = (
    "Amber", "Basalt", "Cobalt", "Dolomite", "Emerald", "Flint", "Garnet", "Hematite", "Indigo", "Jade", "Kyanite",
    "Lapis", "Malachite", "Nickel", "Onyx", "Pyrite", "Quartz", "Ruby", "Sapphire", "Topaz", "Umber", "Vanadium",
    "Wolfram", "Zircon",
)  # fmt: skip


@dataclass(frozen=True)
class ChannelWorld:
    """How one channel behaves: its mean reach, its accuracy, and how uneven its notoriety is (log sd)."""

    reach: float
    accuracy: float
    fame: float = 1.0
    forgeable: bool = False
    candidates: bool = False


@dataclass(frozen=True)
class SourceWorld:
    """One list of incidents: the mean share that it lists, and whether it is press, which can be intimidated."""

    lists: float
    press: bool


_CHANNELS: Mapping[str, ChannelWorld] = MappingProxyType(
    {
        "claim": ChannelWorld(0.15, 0.80, forgeable=True),
        "press": ChannelWorld(0.45, 0.60, forgeable=True),
        "modus_operandi": ChannelWorld(0.20, 0.60, forgeable=True),
        "ballistics": ChannelWorld(0.12, 0.90),
        "intelligence": ChannelWorld(0.20, 0.80),
    }
)

PRESS = "press"
"""The channel that says nothing of an incident which no press lists, and whose pieces are echoed."""

_SOURCES: Mapping[str, SourceWorld] = MappingProxyType(
    {
        "local-press": SourceWorld(0.60, press=True),
        "national-press": SourceWorld(0.45, press=True),
        "register": SourceWorld(0.35, press=False),
        "observers": SourceWorld(0.25, press=False),
    }
)


@dataclass(frozen=True)
class World:
    """Settings of a simulated world; scales are standard deviations on the log or logit scale.

    Attributes
    ----------
    n_organizations, n_regions, n_incidents
        Sizes; incidents over baseline and window together, on average, reported or not.
    window_days
        Length of the window.
    rate_scale, kind_scale, presence_scale, reach_scale
        How much organizations differ in level, by kind, by region, and in what channels hear of them.
    staged
        Staged share of the incidents in (baseline, window).
    staged_scale, target_scale
        How much the staged share and the targets differ between organizations.
    framed
        Share of its incidents that one organization stages as one rival's, in both periods; 0 for nobody.
    hidden
        What is taken from the logit of the reach of all channels for the most violent organization.
    famous
        What is added to the log notoriety of one organization that is not the most violent.
    adjudicated
        Share of incidents settled by a court, chosen at random unless ``easy`` says otherwise.
    ranged
        Share of harms whose count is known as a range.
    sources
        Lists of incidents, each of which misses some, by kind and region; an incident on no list is in no table but
        counts in the truth. Without lists every incident is recorded, and there is no table of reports.
    silenced
        What the most violent organization takes from the logit with which each press source lists an incident, of
        whomever, in its regions: those where it does more than any other organization, or at least the one where it
        does the most. What no press lists, the press channel does not speak of.
    echoed
        Chance that a piece of the press is repeated as if it were somebody else's finding, under an origin of its own:
        once more in the press, and (apart from that) by intelligence.
    episode
        Mean number of incidents in an episode (geometric): same perpetrator, same region, within four days. Kinds are
        drawn incident by incident, so that only the clustering is new.
    easy
        Log odds of being settled that each channel adds which names the right one, and each takes off which names a
        wrong one; the overall share stays ``adjudicated``. Chances are recorded as inclusion probabilities.
    split
        Share of the most violent organization's incidents that are its new faction's, an organization of its own,
        from the middle of the window on; shares by region are uniform where it is one half.
    stale
        Chance that a channel which means the faction gives the old name.
    networks
        Distribution networks, whose flow is the organizations': tables of their own.
    doubts
        Lines of the methodology that say what may be the matter; a methodologist who suspects it would write them.
    echo_doubts
        Channels that the methodology lets repeat others.
    """

    n_organizations: int = 6
    n_regions: int = 8
    n_incidents: int = 1500
    window_days: int = WINDOW_DAYS
    rate_scale: float = 0.8
    kind_scale: float = 0.5
    presence_scale: float = 1.5
    reach_scale: float = 0.8
    staged: tuple[float, float] = (0.02, 0.06)
    staged_scale: float = 1.0
    target_scale: float = 2.0
    framed: float = 0.0
    hidden: float = 0.0
    famous: float = 0.0
    adjudicated: float = 0.06
    ranged: float = 0.2
    channels: Mapping[str, ChannelWorld] = _CHANNELS
    sources: Mapping[str, SourceWorld] = field(default_factory=dict)
    silenced: float = 0.0
    echoed: float = 0.0
    episode: float = 1.0
    easy: float = 0.0
    split: float = 0.0
    stale: float = 0.5
    networks: int = 0
    doubts: tuple[str, ...] = ()
    echo_doubts: tuple[str, ...] = ()

    @property
    def split_day(self) -> int:
        """Day, from the start of the baseline, on which a group splits: the middle of the window."""
        return BASELINE_DAYS + self.window_days // 2

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the organizations, the faction of a split last, and then ``other``."""
        n = self.n_organizations + (self.split > 0)
        rounds = -(-n // len(_NAMES))
        names = [f"{name.lower()}{i or ''}" for i in range(rounds) for name in _NAMES]
        return (*names[:n], OTHER)


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "plain": World(),
        "famous": World(famous=2.0),
        "staged": World(staged=(0.05, 0.25)),
        "framed": World(framed=0.35),
        "hidden": World(hidden=2.0),
        "listed": World(sources=_SOURCES),
        "silenced": World(sources=_SOURCES, silenced=2.5),
        "copied": World(
            echoed=0.5,
            echo_doubts=(PRESS, "intelligence"),
        ),
        "dyads": World(adjudicated=0.0, channels={"dyad": ChannelWorld(0.9, 0.98, candidates=True)}),
        "episodes": World(episode=6.0, doubts=("[episodes]", "repeat = [1, 1]")),
        "easy-courts": World(easy=1.5),
        "split": World(split=0.5),
        "supply": World(networks=80),
        "troubled": World(
            famous=1.0,
            sources=_SOURCES,
            silenced=2.0,
            echoed=0.5,
            episode=4.0,
            split=0.5,
            doubts=("[episodes]", "repeat = [1, 1]"),
            echo_doubts=(PRESS, "intelligence"),
        ),
        "demo": World(n_incidents=600, famous=1.8, hidden=1.0, adjudicated=0.10, staged=(0.03, 0.12)),
    }
)
"""The simulator's worlds by name."""
