"""What is to be refitted: one task for each simulated data set, and the settings that all of them share."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

from violencescore import __version__
from violencescore.calibration.methods import METHODS

LEVELS = (0.8, 0.9, 0.95)
"""Stated confidences at which verdicts are counted."""

_LIBRARIES = ("numba", "numpy", "nutpie", "pandas", "scipy", "xarray")


class Keyed(Protocol):
    """What can be refitted and kept: it has a name of its own, the same for equal ones."""

    @property
    def key(self) -> str:
        """Name of its record."""


@dataclass(frozen=True, order=True)
class Task:
    """One data set to be simulated and fitted.

    Attributes
    ----------
    kind
        ``world``: a world of the simulator; ``prior``: parameters and data drawn from the model itself.
    name
        World, or structure of the model (see ``prior_worlds.STRUCTURES``).
    seed
        Of the simulation.
    incidents, adjudicated
        Expected number of incidents and share of them that is settled, in place of the world's own.
    weekly
        Whether the assessment is also fitted at the end of each week of the window.
    """

    kind: Literal["world", "prior"]
    name: str
    seed: int
    incidents: int | None = None
    adjudicated: float | None = None
    weekly: bool = False

    @property
    def key(self) -> str:
        """Name of the task's record: the same task has the same one."""
        parts = [self.kind, self.name]
        parts += [f"n{self.incidents}"] if self.incidents is not None else []
        parts += [f"a{self.adjudicated:g}"] if self.adjudicated is not None else []
        parts += ["weekly"] if self.weekly else []
        return "-".join([*parts, f"{self.seed:05d}"])


@dataclass(frozen=True)
class Settings:
    """What all refits of a folder share, so that they may be counted together.

    Attributes
    ----------
    levels
        Stated confidences.
    draws, tune, chains
        In place of the methodology's; None leaves them as they are.
    methods
        What is fitted, or counted, and compared.
    """

    levels: tuple[float, ...] = LEVELS
    draws: int | None = None
    tune: int | None = None
    chains: int | None = None
    methods: tuple[str, ...] = METHODS

    @property
    def sampling(self) -> dict[str, int]:
        """What is asked for in place of the methodology's."""
        asked = {"draws": self.draws, "tune": self.tune, "chains": self.chains}
        return {name: value for name, value in asked.items() if value is not None}


def plan_worlds(
    worlds: Sequence[str],
    seeds: Sequence[int],
    incidents: Sequence[int] = (),
    adjudicated: Sequence[float] = (),
    *,
    weekly: bool = False,
) -> list[Task]:
    """Return the tasks of all combinations, seed by seed, so that an interrupted run has some of each."""
    return [
        Task("world", world, seed, n, share, weekly)
        for seed, world, n, share in product(seeds, worlds, incidents or (None,), adjudicated or (None,))
    ]


def plan_prior(structures: Sequence[str], seeds: Sequence[int]) -> list[Task]:
    """Return the tasks of simulation-based calibration."""
    return [Task("prior", structure, seed) for seed, structure in product(seeds, structures)]


def manifest(settings: Settings, more: Mapping[str, Any] = MappingProxyType({})) -> Mapping[str, Any]:
    """Return what must agree between all refits of a folder: settings, what else was chosen, versions, and the code."""
    return {
        "settings": {
            **asdict(settings),
            "levels": list(settings.levels),
            "methods": list(settings.methods),
            **more,
        },
        "versions": {
            "violencescore": __version__,
            "python": ".".join(platform.python_version_tuple()[:2]),
            **{name: version(name) for name in _LIBRARIES},
        },
        "code_sha256": code_digest(),
    }


@cache
def code_digest() -> str:
    """Return the SHA-256 of this package's own code and of the methodologies beside it.

    A version number does not tell two states of a program apart that is still being written.
    """
    package = Path(__file__).parents[1]
    models = package / "models" if (package / "models").is_dir() else package.parents[1] / "models"
    total = hashlib.sha256()
    for path in sorted([*package.rglob("*.py"), *models.glob("*.toml")], key=lambda p: (p.name, str(p))):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
