"""When the process may stop, and how many selections were wrong so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from violencescore.montecarlo import Probability, Scores, estimate_probability, read_scores
from violencescore.ranks import N_ERRORS
from violencescore.rounds.history import Round

STOP_MARGIN = 0.25
"""Share by which the first must exceed the second to stand out, unless a ledger states another."""


def stands_out(scores: Scores, margin: float) -> Probability | None:
    """Return P(first >= (1 + margin) * second): that somebody stands out, whoever it is.

    A first that does not exceed the second at all, at zero too, does not stand out. None without organizations.

    Raises
    ------
    ValueError
        A margin that is not above 0: any first exceeds the second by 0.
    """
    if not margin > 0:
        raise ValueError(f"margin is {margin}; a share above 0 is needed")
    draws = read_scores(scores)
    if not draws.ids:
        return None
    ordered = np.sort(draws.values, axis=2)
    first = ordered[:, :, -1]
    second = ordered[:, :, -2] if len(draws.ids) > 1 else np.zeros_like(first)
    gap = first - (1 + margin) * second
    share = ((gap >= 0) & (first > second)).astype(np.float64)
    p, mcse = estimate_probability(share[:, :, None], gap[:, :, None])
    return Probability(float(p[0]), float(mcse[0]))


@dataclass(frozen=True)
class StopTests:
    """The two tests of whether the process may stop, at one verdict.

    Attributes
    ----------
    margin, confidence
        As announced before the window.
    stands_out
        P(first >= (1 + margin) * second).
    not_above_baseline
        P(total violence <= baseline); None without a baseline.
    """

    margin: float
    confidence: float
    stands_out: Probability | None
    not_above_baseline: Probability | None

    @property
    def nobody_stands_out(self) -> bool:
        """Whether it is sure enough that nobody stands out any more, by more than the Monte-Carlo error."""
        p = self.stands_out
        return p is not None and p.p + N_ERRORS * p.mcse <= 1 - self.confidence

    @property
    def is_back_at_baseline(self) -> bool:
        """Whether it is sure enough that total violence is not above the baseline."""
        p = self.not_above_baseline
        return p is not None and p.p - N_ERRORS * p.mcse >= self.confidence


def stop_tests(round_: Round) -> StopTests | None:
    """Return the stop tests of a round's verdict; None where there is none yet."""
    if round_.verdict is None:
        return None
    found = round_.verdict.facts["stop"]
    values = [read_probability(found[key]) for key in ("stands_out", "not_above_baseline")]
    return StopTests(float(found["margin"]), float(found["confidence"]), *values)


def read_probability(value: Mapping[str, Any] | None) -> Probability | None:
    """Read a probability as it stands in an entry."""
    return None if value is None else Probability(float(value["p"]), float(value["mcse"]))


@dataclass(frozen=True)
class ErrorBudget:
    """How many selections were wrong so far, as far as the draws can say.

    Attributes
    ----------
    selections
        Verdicts that selected somebody.
    expected
        Expected number of wrong ones: the sum of 1 - P(first) of each selected. It needs no independence.
    mcse
        Its Monte-Carlo error.
    allowed
        What the stated confidences allow: the sum of 1 - confidence.
    any_wrong
        Probability that at least one was wrong, if the rounds are independent.
    """

    selections: int
    expected: float
    mcse: float
    allowed: float
    any_wrong: float


def error_budget(rounds: Sequence[Round], *, restated: bool = False) -> ErrorBudget:
    """Add up the probabilities of error over the rounds in which somebody was selected.

    Parameters
    ----------
    restated
        Take each round's latest verdict on restated data, where there is one, in place of its own.
    """
    errors: list[Probability] = []
    allowed = 0.0
    for round_ in rounds:
        if round_.verdict is None or round_.verdict.facts["selected"] is None:
            continue
        selected = str(round_.verdict.facts["selected"])
        source = round_.restated[-1] if restated and round_.restated else round_.verdict
        # Restated data may not rank it any more: then it was surely not the most violent by them.
        p = read_probability(source.facts["p_first"].get(selected)) or Probability(0.0, 0.0)
        errors.append(p)
        allowed += 1 - float(round_.verdict.facts["required"])
    return ErrorBudget(
        selections=len(errors),
        expected=sum(1 - p.p for p in errors),
        mcse=math.sqrt(sum(p.mcse**2 for p in errors)),
        allowed=allowed,
        any_wrong=1 - math.prod(p.p for p in errors),
    )
