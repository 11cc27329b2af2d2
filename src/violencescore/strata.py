"""Within what the shares of staged incidents differ, and whom one would rather frame, as the methodology says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from violencescore.activity import DAY, period_bounds
from violencescore.coding import places
from violencescore.grouping import AnyInts, IntArray, ints
from violencescore.methodology import Methodology
from violencescore.names import WINDOW
from violencescore.scenario_choices import split_label


@dataclass(frozen=True)
class Strata:
    """Names of the strata, the Beta parameters of their staged shares (stratum, 2), and that of each incident."""

    names: tuple[str, ...]
    staging: npt.NDArray[np.float64]
    of_incident: IntArray


def build_strata(
    methodology: Methodology,
    periods: Sequence[str],
    date: pd.Series,
    period: AnyInts,
    kinds: Sequence[str],
    kind: AnyInts,
) -> Strata:
    """Cut periods into strata of staging.

    The window is cut into ``[false_flag] parts`` of equal length, since a campaign may begin in its midst, and all by
    the element of the incident where ``by_element`` is set. All strata of a period have its Beta prior, and
    perpetrators differ in each.
    """
    option = methodology.false_flag
    start, end = period_bounds(methodology.window, WINDOW) if methodology.window else (date.min(), date.max() + DAY)
    elapsed = (date - start).dt.days.to_numpy(dtype=np.float64) / ((end - start) / DAY)
    part = np.clip(np.floor(elapsed * option.parts), 0, option.parts - 1).astype(np.int64)
    names: list[tuple[str, str]] = []
    number: dict[tuple[int, int], int] = {}
    for t, name in enumerate(periods):
        for p in range(option.parts if name == WINDOW else 1):
            number[t, p] = len(names)
            names.append((name, f"{name} {p + 1} of {option.parts}" if name == WINDOW and option.parts > 1 else name))
    is_window = np.asarray(period) == periods.index(WINDOW)
    first = np.array([number[t, 0] for t in range(len(periods))])[period]
    stratum = first + np.where(is_window, part, 0)
    if option.by_element:
        elements = list(dict.fromkeys(split_label(label)[0] for label in kinds))
        element = np.array([elements.index(split_label(label)[0]) for label in kinds])[kind]
        stratum = stratum * len(elements) + element
        names = [(name, f"{text}, {element}") for name, text in names for element in elements]
    staging = np.array([getattr(option, name) for name, _ in names], dtype=float)
    return Strata(tuple(text for _, text in names), staging, ints(stratum))


def build_rivalry(methodology: Methodology, rivalries: pd.DataFrame, actors: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return what is added to the log odds with which each actor frames each (actor, framed).

    A rivalry counts both ways, with ``[false_flag] rivalry`` times its strength; to make it look like nobody's work in
    particular (that of ``other``) is as much likelier as ``hiding`` says.
    """
    option = methodology.false_flag
    added = np.zeros((len(actors), len(actors)))
    one, two = (places(rivalries[column], tuple(actors)) for column in ("organization_id", "other_id"))
    strength = option.rivalry * rivalries["strength"].to_numpy(dtype=float)
    np.maximum.at(added, (one, two), strength)
    np.maximum.at(added, (two, one), strength)
    added[:, -1] += option.hiding
    return added
