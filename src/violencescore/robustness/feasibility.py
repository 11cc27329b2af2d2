"""Could the policy work at all? How often a rule decides, and rightly, before there are any data.

From a methodology and simulated worlds alone: the chance that the rule names somebody, and names the right one, as a
function of the weeks of the window, the share of incidents that evidence speaks of, the number of settled incidents and
the accuracy of the evidence.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from violencescore.calibration.frames import first_of
from violencescore.calibration.plan import Settings, code_digest
from violencescore.calibration.refits import describe
from violencescore.calibration.tables import binomial_interval, operating_characteristics
from violencescore.methodology import Methodology
from violencescore.robustness.frozen_rule import ask_rule, read_scene, set_scene, true_ranking, world_of
from violencescore.simulation import BASELINE_DAYS, World
from violencescore.simulation.chance import logistic, logit

KIND = "feasibility"
FACTORS = ("weeks", "attributed", "adjudicated", "accuracy")
"""What is varied, in the order of the tables."""
ESTIMAND = (
    "P(the rule decides) and P(it decides rightly) over simulated worlds: right is whoever has the highest true "
    "realized score in the window."
)


@dataclass(frozen=True)
class Levels:
    """Values of each factor; one at a time is varied around the middle ones unless all are combined.

    Attributes
    ----------
    weeks
        Length of the window.
    attributed
        Share of incidents that any evidence names somebody for, before chance and differences between organizations.
    adjudicated
        Expected number of settled incidents, those of the baseline included.
    accuracy
        Chance that a piece of evidence which names somebody names the right one, on average over pieces.
    """

    weeks: tuple[int, ...] = (2, 4, 8, 16)
    attributed: tuple[float, ...] = (0.3, 0.5, 0.75, 0.9)
    adjudicated: tuple[int, ...] = (0, 30, 90, 270)
    accuracy: tuple[float, ...] = (0.5, 0.6, 0.7, 0.85)
    centre: tuple[float, ...] = (8, 0.75, 90, 0.7)


@dataclass(frozen=True, order=True)
class FeasibilityTask:
    """One world of the design, to be simulated and fitted."""

    weeks: int
    attributed: float
    adjudicated: int
    accuracy: float
    seed: int

    @property
    def key(self) -> str:
        """Name of its record."""
        levels = f"w{self.weeks}-e{self.attributed:g}-s{self.adjudicated}-a{self.accuracy:g}"
        return f"{KIND}-{levels}-{self.seed:05d}"


@dataclass(frozen=True)
class Country:
    """What all worlds of a feasibility study share: the rule, the violence of the country, and how refits are made.

    Attributes
    ----------
    per_week
        Expected incidents a week.
    """

    methodology: Methodology
    world: str
    per_week: float
    settings: Settings


def plan_feasibility(levels: Levels, seeds: Sequence[int], *, all_combinations: bool = False) -> list[FeasibilityTask]:
    """Return the tasks of the design, seed by seed, so that an interrupted run has some of each setting."""
    values = [sorted(set(getattr(levels, name))) for name in FACTORS]
    if all_combinations:
        settings = list(product(*values))
    else:
        centre = centre_of(levels)
        varied = [(*centre[:i], v, *centre[i + 1 :]) for i, part in enumerate(values) for v in part]
        settings = list(dict.fromkeys(varied))
    return [FeasibilityTask(w, e, s, a, seed) for seed, (w, e, s, a) in product(seeds, settings)]


def centre_of(levels: Levels) -> tuple[Any, ...]:
    """Return the values at which the other factors stay: the stated ones, or the middle one of those listed."""
    values = [sorted(set(getattr(levels, name))) for name in FACTORS]
    return tuple(c if c in part else part[len(part) // 2] for c, part in zip(levels.centre, values, strict=True))


def country_world(task: FeasibilityTask, country: Country) -> World:
    """Return the world of a task: channels with the share attributed and the accuracy that it asks for.

    With one seed and one length of the window, all settings share what is done, and by whom.
    """
    world = world_of(country.methodology, country.world)
    channels = world.channels
    reach = logit([channel.reach for channel in channels.values()])
    move = _solve(lambda x: 1 - float(np.prod(1 - logistic(reach + x))), task.attributed)
    reach = logistic(reach + move)
    right = logit([channel.accuracy for channel in channels.values()])
    lift = _solve(lambda x: float(np.average(logistic(right + x), weights=reach)), task.accuracy)
    changed = {
        name: dataclasses.replace(channel, reach=float(r), accuracy=float(logistic(a + lift)))
        for (name, channel), r, a in zip(channels.items(), reach, right, strict=True)
    }
    n_incidents = country.per_week * (BASELINE_DAYS / 7 + task.weeks)
    return dataclasses.replace(
        world,
        channels=changed,
        window_days=7 * task.weeks,
        n_incidents=round(n_incidents),
        adjudicated=min(task.adjudicated / n_incidents, 1.0),
    )


def _solve(function: Any, target: float) -> float:
    """Return where an increasing function reaches a value."""
    from scipy.optimize import brentq

    return float(brentq(lambda x: function(x) - target, -30.0, 30.0))


def refit_feasibility(task: FeasibilityTask, country: Country) -> Mapping[str, Any]:
    """Simulate a world of the design, ask the rule, and judge the answer."""
    start = time.perf_counter()
    scene = set_scene(country.methodology, country_world(task, country), task.seed)
    assessment = read_scene(scene)
    truth = true_ranking(scene, assessment)
    said = ask_rule(assessment, task.seed, country.settings)
    return {
        "task": dataclasses.asdict(task),
        "code_sha256": code_digest(),
        **describe(assessment),
        "truth": truth,
        **said,
        "seconds": time.perf_counter() - start,
    }


def feasibility_table(records: Sequence[Mapping[str, Any]], confidence: float) -> pd.DataFrame:
    """Count, by setting, how often the rule decided, and rightly.

    Returns
    -------
    pandas.DataFrame
        The factors; ``assessments``; ``right``, ``wrong``, ``abstained`` and its kinds; ``selected_share`` (P(the rule
        decides)), ``right_share`` (and rightly) and ``wrong_share`` (wrong among the selections), each with the ends of
        its exact 95 % interval; ``p_true_first``: the mean P(first) of whoever was first; and what the worlds of the
        setting had in fact: incidents in the window, share attributed, settled incidents.
    """
    rows = [_row(record, confidence) for record in records]
    frame = pd.DataFrame(rows).sort_values(list(FACTORS), kind="stable")
    table = operating_characteristics(frame, FACTORS).drop(columns=["method", "keeps_word"])
    intervals = [binomial_interval(n, total) for n, total in zip(table["right"], table["assessments"], strict=True)]
    table = table.assign(
        right_share=table["right"] / table["assessments"],
        right_share_low=[low for low, _ in intervals],
        right_share_high=[high for _, high in intervals],
    )
    means = frame.groupby(list(FACTORS), sort=False)[
        ["p_true_first", "in_window", "share_attributed", "settled"]
    ].mean()
    found = table.merge(means.reset_index(), on=list(FACTORS))
    found.attrs = {"estimand": ESTIMAND, "method": "simulated worlds, refitted"}
    return found


def _row(record: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    first = first_of(record["truth"])
    result = record["outcome"]
    if result == "selected":
        result = "right" if record["selected"] in first else "wrong"
    said = record["p_first"]
    return {
        **{name: record["task"][name] for name in FACTORS},
        "method": "model",
        "confidence": confidence,
        "result": result,
        "p_true_first": np.nan if said is None else sum(said.get(key, 0.0) for key in first),
        "in_window": record["n_window"],
        "share_attributed": record["share_attributed"],
        "settled": record["n_adjudicated"],
    }


def along(table: pd.DataFrame, centre: Sequence[Any]) -> dict[str, pd.DataFrame]:
    """Return, by factor, the rows in which all other factors have their middle value."""
    found = {}
    for name in FACTORS:
        others = [(other, value) for other, value in zip(FACTORS, centre, strict=True) if other != name]
        part = table[np.logical_and.reduce([table[other] == value for other, value in others])]
        if len(part[name].unique()) > 1:
            found[name] = part.sort_values(name).reset_index(drop=True)
    return found


SHOWN: Mapping[str, Any] = {
    "weeks": ("weeks of the window", "{:g}"),
    "attributed": ("share of incidents attributed", "{:.0%}"),
    "adjudicated": ("incidents settled", "{:g}"),
    "accuracy": ("accuracy of the evidence", "{:.2f}"),
}
"""What each factor is called, and how its values are written."""


def feasibility_sentences(table: pd.DataFrame, centre: Sequence[Any], confidence: float) -> list[str]:
    """Say how often the rule would decide in the middle of the design, and which factor moves that most."""
    shown = partial(_share_text, table)
    words = ", ".join(f"{SHOWN[n][0]} {SHOWN[n][1].format(v)}" for n, v in zip(FACTORS, centre, strict=True))
    at = table[np.logical_and.reduce([table[n] == v for n, v in zip(FACTORS, centre, strict=True)])]
    said = []
    if len(at):
        said.append(
            f"In the middle of the design ({words}) the rule, at a stated confidence of {confidence:g}, names the "
            f"right one in {shown(at.index[0], 'right')} and a wrong one in {int(at['wrong'].iloc[0])}; otherwise it "
            "abstains."
        )
    parts = along(table, centre)
    if parts:
        span = {name: part["right_share"].max() - part["right_share"].min() for name, part in parts.items()}
        most = max(span, key=lambda name: span[name])
        part = parts[most]
        values = [SHOWN[most][1].format(v) for v in (part[most].iloc[0], part[most].iloc[-1])]
        shares = [f"{100 * v:.0f} %" for v in (part["right_share"].iloc[0], part["right_share"].iloc[-1])]
        said.append(
            f"What moves that most: {SHOWN[most][0]}. From {values[0]} to {values[1]}, right decisions go from "
            f"{shares[0]} to {shares[1]} of the worlds."
            if span[most] > 0
            else "No factor moves that, within the values tried."
        )
    wrong, selected = int(table["wrong"].sum()), int((table["right"] + table["wrong"]).sum())
    said.append(
        f"Over all settings, which share worlds, {wrong} of {selected} selections were wrong; the stated confidence "
        f"allows {100 * (1 - confidence):.0f} %."
    )
    return said


def _share_text(table: pd.DataFrame, row: Any, name: str) -> str:
    n, total = int(table.loc[row, name]), int(table.loc[row, "assessments"])
    low, high = binomial_interval(n, total)
    return f"{n} of {total} worlds (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
