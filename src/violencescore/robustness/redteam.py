"""The red team: adversaries that have read the rule, each searching its best response, and what the best achieves.

The attacker is in each world the most violent organization there: it has most to lose. The search halves: all attacks
of an adversary are tried in some training worlds; the best go on, each also at half its size, into more of them; the
one after which the attacker has the lowest P(first) is tried once, in fresh worlds, against the same worlds unattacked.
What is reported rests on the fresh worlds alone, so that luck in the search does not flatter the attack.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from violencescore.calibration.frames import first_of
from violencescore.calibration.plan import Settings, code_digest
from violencescore.calibration.tables import binomial_interval, mean_interval
from violencescore.methodology import Methodology
from violencescore.robustness.adversaries import (
    Attack,
    adversary_of,
    attack_key,
    attack_words,
    candidate_attacks,
    described,
    smaller,
)
from violencescore.robustness.attacks import attacked, guilty_of, unit_of
from violencescore.robustness.frozen_rule import ask_rule, read_scene, set_scene, true_ranking
from violencescore.simulation import World

type Record = Mapping[str, Any]
type Run = Callable[[str, Sequence["RedTask"]], Mapping[str, Record]]
"""Does tasks under a stage's name, those that are missing, and returns the records of all by key."""

KIND = "redteam"
N_FINALISTS = 2
FIRST_FRESH_SEED = 10_001
"""Evaluation worlds have seeds from here on, and training worlds below."""
ESTIMAND = (
    "Change of P(first) of the truly most violent organization, and how often the rule is fooled, between a simulated "
    "world and the same world attacked."
)


@dataclass(frozen=True)
class RedTask:
    """One world, attacked or not (None)."""

    attack: Attack | None
    seed: int

    @property
    def key(self) -> str:
        """Name of its record."""
        name = "none" if self.attack is None else attack_key(self.attack)
        return f"{KIND}-{name}-{self.seed:05d}"


@dataclass(frozen=True)
class Field:
    """What all attacks share: the rule, the world, and how refits are made."""

    methodology: Methodology
    world: World
    settings: Settings


@dataclass(frozen=True)
class Team:
    """The adversaries, what they may spend, and in how many worlds.

    Attributes
    ----------
    budget
        Share of its own incidents of the window that the attacker may touch.
    train
        Training worlds of each of the two rounds of the search.
    worlds
        Fresh worlds in which the best attack is tried.
    """

    adversaries: tuple[str, ...]
    budget: float
    train: int
    worlds: int


@dataclass(frozen=True, eq=False)
class RedTeamResult:
    """What the search tried, and what the best attacks achieved.

    Attributes
    ----------
    tried
        A row for each attack that was tried in training: adversary, attack, and the mean P(first) that the attacker was
        left with, in the worlds of the first round (``p_first_round``, all attacks in the same worlds) and, of
        finalists, in those of both rounds (``p_first``); ``worlds`` says in how many.
    achieved
        A row for each adversary: see `achieved_table`.
    before
        How the rule does in the fresh worlds without an attack: worlds, right, wrong, abstained.
    """

    tried: pd.DataFrame
    achieved: pd.DataFrame
    before: pd.DataFrame


def refit_attack(task: RedTask, field: Field) -> Record:
    """Simulate a world, attack it, ask the rule, and set beside it what is true."""
    start = time.perf_counter()
    scene = set_scene(field.methodology, field.world, task.seed)
    assessment = read_scene(scene)
    truth = after = true_ranking(scene, assessment)
    touched = 0
    if task.attack is not None:
        scene, touched = attacked(scene, task.attack, truth)
        assessment = read_scene(scene)
        after = true_ranking(scene, assessment)
    return {
        "task": {"attack": described(task.attack), "seed": task.seed},
        "code_sha256": code_digest(),
        "guilty": guilty_of(truth),
        "truth_before": truth,
        "truth": after,
        "touched": touched,
        **ask_rule(assessment, task.seed, field.settings),
        "seconds": time.perf_counter() - start,
    }


def in_this_process(field: Field) -> Run:
    """Return what does tasks one after another, here, and keeps nothing: for use from Python."""

    def run(_: str, tasks: Sequence[RedTask]) -> Mapping[str, Record]:
        return {task.key: refit_attack(task, field) for task in tasks}

    return run


def play(team: Team, run: Run) -> RedTeamResult:
    """Search the best response of each adversary, and try it in fresh worlds."""
    first = {name: candidate_attacks(name, team.budget) for name in team.adversaries}
    all_first = [attack for attacks in first.values() for attack in attacks]
    early, late = range(1, team.train + 1), range(team.train + 1, 2 * team.train + 1)
    records = dict(run("search", tasks_of(all_first, early)))
    finalists = {name: _finalists(attacks, records, early) for name, attacks in first.items()}
    all_final = [attack for attacks in finalists.values() for attack in attacks]
    records |= run("search, round 2", tasks_of(all_final, [*early, *late]))
    training = [*early, *late]
    best = {name: min(attacks, key=lambda a: p_after(a, records, training)) for name, attacks in finalists.items()}
    fresh = range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + team.worlds)
    found = run("fresh worlds", tasks_of([None, *best.values()], fresh))
    unattacked = [found[RedTask(None, seed).key] for seed in fresh]
    all_tried = dict.fromkeys([*all_first, *all_final])
    tried = [_tried_row(attack, records, early, training if attack in all_final else ()) for attack in all_tried]
    achieved = achieved_table(
        [(attack, unattacked, [found[RedTask(attack, seed).key] for seed in fresh]) for attack in best.values()]
    )
    return RedTeamResult(pd.DataFrame(tried), achieved, before_table(unattacked))


def tasks_of(attacks: Sequence[Attack | None], seeds: Sequence[int]) -> list[RedTask]:
    """Return all attacks in all worlds, world by world."""
    return [RedTask(attack, seed) for seed, attack in product(seeds, attacks)]


def _finalists(attacks: Sequence[Attack], records: Mapping[str, Record], seeds: Sequence[int]) -> list[Attack]:
    """Return the best attacks so far, each also at half its size."""
    best = sorted(attacks, key=lambda attack: p_after(attack, records, seeds))[:N_FINALISTS]
    return [variant for attack in best for variant in (attack, smaller(attack))]


def p_after(attack: Attack, records: Mapping[str, Record], seeds: Sequence[int]) -> float:
    """Return the mean P(first) that the attacker, a faction included, is left with; 1 where nothing was found."""
    tasks = [RedTask(attack, seed) for seed in seeds]
    found = [p_of_guilty(records[task.key]) for task in tasks if task.key in records]
    known = [p for p in found if not np.isnan(p)]
    return float(np.mean(known)) if known else 1.0


def p_of_guilty(record: Record) -> float:
    """Return P(first) of the attacker, its faction included; missing where nothing could be fitted."""
    if record["p_first"] is None:
        return float("nan")
    return float(sum(p for key, p in record["p_first"].items() if unit_of(key) == record["guilty"]))


def _tried_row(
    attack: Attack, records: Mapping[str, Record], early: Sequence[int], training: Sequence[int]
) -> dict[str, Any]:
    return {
        "adversary": adversary_of(attack),
        "attack": attack_words(attack),
        "finalist": bool(training),
        "worlds": len(training) or len(early),
        "p_first_round": p_after(attack, records, early),
        "p_first": p_after(attack, records, training) if training else float("nan"),
    }


def names_guilty(record: Record) -> bool:
    """Whether the rule names the attacker, or its faction."""
    return bool(record["outcome"] == "selected" and unit_of(record["selected"]) == record["guilty"])


def names_another(record: Record) -> bool:
    """Whether the rule names somebody who has nothing to do with the attacker."""
    return bool(record["outcome"] == "selected" and unit_of(record["selected"]) != record["guilty"])


def is_fooled(before: Record, after: Record) -> bool:
    """Whether an attack has the rule name another, or let the attacker go whom it named without the attack."""
    return (names_another(after) and not names_another(before)) or (names_guilty(before) and not names_guilty(after))


def achieved_table(pairs: Sequence[tuple[Attack, Sequence[Record], Sequence[Record]]]) -> pd.DataFrame:
    """Compare fresh worlds with the same worlds attacked, a row for each attack.

    Returns
    -------
    pandas.DataFrame
        ``adversary``, ``attack`` in words, ``worlds``; ``touched``: mean number of incidents; ``p_before`` and
        ``p_after``: mean P(first) of the attacker, and ``change`` with the ends of its 95 % interval (Student's t over
        paired worlds); ``named_before``, ``named_after``: worlds in which the rule names it; ``another_before``,
        ``another_after``: worlds in which it names somebody else; ``wrong_after``: of these, where that one has not
        the highest true score of the attacked world; ``fooled`` (see `is_fooled`) with its share and exact 95 %
        interval; ``still_first``: worlds in which the attacker still has the highest true score after the attack.
    """
    rows = []
    for attack, before, after in pairs:
        p = np.array([[p_of_guilty(b), p_of_guilty(a)] for b, a in zip(before, after, strict=True)])
        change = (p[:, 1] - p[:, 0])[np.isfinite(p).all(axis=1)]
        low, high = mean_interval(change)
        fooled = sum(is_fooled(b, a) for b, a in zip(before, after, strict=True))
        share_low, share_high = binomial_interval(fooled, len(after))
        rows.append(
            {
                "adversary": adversary_of(attack),
                "attack": attack_words(attack),
                "worlds": len(after),
                "touched": float(np.mean([record["touched"] for record in after])),
                "p_before": float(np.nanmean(p[:, 0])),
                "p_after": float(np.nanmean(p[:, 1])),
                "change": float(change.mean()) if len(change) else float("nan"),
                "change_low": low,
                "change_high": high,
                "named_before": sum(map(names_guilty, before)),
                "named_after": sum(map(names_guilty, after)),
                "another_before": sum(map(names_another, before)),
                "another_after": sum(map(names_another, after)),
                "wrong_after": sum(names_another(r) and r["selected"] not in first_of(r["truth"]) for r in after),
                "fooled": fooled,
                "fooled_share": fooled / len(after),
                "fooled_low": share_low,
                "fooled_high": share_high,
                "still_first": sum(r["guilty"] in map(unit_of, first_of(r["truth"])) for r in after),
            }
        )
    table = pd.DataFrame(rows)
    table.attrs = {"estimand": ESTIMAND, "method": "simulated worlds, refitted, with common random numbers"}
    return table


def before_table(records: Sequence[Record]) -> pd.DataFrame:
    """Return how the rule does without an attack."""
    right, wrong, n = sum(map(names_guilty, records)), sum(map(names_another, records)), len(records)
    return pd.DataFrame([{"worlds": n, "right": right, "wrong": wrong, "abstained": n - right - wrong}])


def redteam_sentences(found: RedTeamResult) -> list[str]:
    """Say what each adversary achieves."""
    rows = found.achieved.to_dict("records")
    return [_sentence({str(key): value for key, value in row.items()}) for row in rows]


def _sentence(row: Mapping[str, Any]) -> str:
    n = row["worlds"]
    return (
        f"The {row['adversary']} {row['attack']}. P(first) of the most violent changes by {row['change']:+.2f} (95 % "
        f"interval {row['change_low']:+.2f} to {row['change_high']:+.2f}); it is named in {row['named_after']} of {n} "
        f"worlds, in place of {row['named_before']}; another is named in {row['another_after']}, in place of "
        f"{row['another_before']}. The rule is fooled in {row['fooled']} of {n} (95 % interval "
        f"{100 * row['fooled_low']:.0f} to {100 * row['fooled_high']:.0f} %)."
    )


def field_json(field: Field, team: Team) -> dict[str, Any]:
    """Return what all refits of a folder must have in common beside settings and code."""
    rule = field.methodology
    return {
        "methodology": {"id": rule.id, "version": rule.version, "sha256": rule.sha256},
        "world": _plain(dataclasses.asdict(field.world)),
        "budget": team.budget,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value
