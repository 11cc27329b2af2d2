"""The least number at which a refit changes the verdict: from a guess, by doubling and halving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from violencescore.robustness.basis import Basis, Verdict
from violencescore.robustness.changed import Refit
from violencescore.robustness.findings import described
from violencescore.robustness.worlds import SOUND


@dataclass(frozen=True, eq=False)
class Search:
    """What refits said of numbers of incidents.

    Attributes
    ----------
    tried
        (number, refit), in the order in which they were run.
    least
        The least number that changed the verdict; None where none did.
    unchanged
        The largest number below it that did not; 0 where none was tried.
    """

    tried: tuple[tuple[int, Refit], ...]
    least: int | None
    unchanged: int

    @property
    def is_exact(self) -> bool:
        """Whether one fewer was seen not to change the verdict."""
        return self.least is not None and self.unchanged == self.least - 1

    def value(self, expected: int | None) -> float:
        """Return the number for the passport: what refits found, or what was expected where there were none.

        Infinite where no number within reach changes the verdict; nan where refits contradict what was expected.
        """
        if self.least is not None:
            return float(self.least)
        if not self.tried:
            return np.inf if expected is None else float(expected)
        return np.inf if expected is None else np.nan

    def low(self, value: float) -> float:
        """Return the least number that ``value`` may be: one more than refits saw not to change the verdict."""
        return value if self.least is None else float(self.unchanged + 1)

    def method(self, otherwise: str) -> str:
        """Say how the number was found."""
        if not self.tried:
            return otherwise
        if self.least is None:
            return "refit (not borne out)"
        return "refit" if self.is_exact else f"refit (between {self.unchanged + 1} and {self.least})"

    def table(self, basis: Basis, name: str) -> pd.DataFrame:
        """Return the refits: the number, P(first) of every organization, outcome, who is named, converged."""
        rows = [
            {name: n, **{f"p_{i}": p.p for i, p in fitted.p_first.items()}}
            | {"mcse": max(p.mcse for p in fitted.p_first.values())}
            | {"outcome": fitted.verdict[0], "selected": fitted.verdict[1] or "", "converged": fitted.converged}
            for n, fitted in sorted(self.tried, key=lambda pair: pair[0])
        ]
        columns = [name, *(f"p_{i}" for i in basis.ids), "mcse", "outcome", "selected", "converged"]
        return described(pd.DataFrame(rows, columns=columns), "P(first) fitted to the changed data", "refit")

    def sentence(self, basis: Basis, word: str) -> str:
        """Say what the refits at the edge found of the organization that leads."""
        shown = []
        for n, fitted in sorted(self.tried, key=lambda pair: pair[0]):
            if n in (self.least, self.unchanged) or self.least is None:
                shown.append(f"{word} {n}: {fitted.p_first[basis.leader]}")
        return f"P({basis.names[basis.leader]} first), fitted again, {'; '.join(shown)}."


def reweighted_number(
    judge: Callable[[int], tuple[Verdict, float]], verdict: Verdict, guess: int | None, most: int
) -> tuple[int | None, float]:
    """Move a number that was found to first order to where reweighting says that the verdict changes.

    Parameters
    ----------
    judge
        Returns the verdict with a number of incidents changed, and Pareto's k of the reweighting.
    guess, most
        The number to first order; None where that finds none up to ``most``.

    Returns
    -------
    tuple
        The number, and k there; nan where the draws cannot be reweighted that far, and the number is the first.
    """
    n = most if guess is None else guess
    found, k = judge(n)
    if k > SOUND:
        return guess, float("nan")
    if found != verdict:
        while n > 1:
            nearer, k_nearer = judge(n - 1)
            if nearer == verdict or k_nearer > SOUND:
                break
            n, k = n - 1, k_nearer
        return n, k
    while n < most:
        n += 1
        found, k = judge(n)
        if k > SOUND:
            return n if guess is None else max(guess, n), float("nan")
        if found != verdict:
            return n, k
    return None, k


def least_number(fit: Callable[[int], Refit], verdict: Verdict, guess: int, most: int, n_refits: int) -> Search:
    """Find the least number whose refit changes the verdict, and that one fewer does not.

    Parameters
    ----------
    fit
        Refits with a number of incidents changed.
    verdict
        The verdict as it is.
    guess, most
        Where to begin, and the largest number to try.
    n_refits
        How many refits are allowed.
    """
    tried: dict[int, Refit] = {}
    low, high = 0, most + 1
    n = min(max(guess, 1), most)
    while len(tried) < n_refits and high - low > 1:
        tried[n] = fit(n)
        if tried[n].verdict != verdict and tried[n].converged:
            high = n
        else:
            low = n
        n = _next(low, high, most, n)
    return Search(tuple(tried.items()), high if high in tried else None, low)


def _next(low: int, high: int, most: int, last: int) -> int:
    if high > most:  # nothing changed it yet: farther out, by ever longer steps
        return min(max(last + 1, last + last // 4), most)
    if low == 0:  # everything did: nearer
        return max(high - max(1, high // 4), 1)
    return (low + high) // 2
