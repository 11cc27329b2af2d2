"""Forms for a panel's weights: written empty for one panelist each, and read back when filled in.

Three kinds. ``swing``: 100 for the worst harm, the others against it. ``points``: 100 points divided. ``pairwise``:
which of two is heavier, and how many times. Every line says in words what is asked, and of how many harms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from violencescore.errors import Fault, InputError
from violencescore.formats import MAX_FIELD, read_csv, record_lines
from violencescore.methodology import Category, Methodology
from violencescore.names import category_label
from violencescore.publication.tabular import csv_bytes, unguard

KINDS = ("swing", "points", "pairwise")
FIRST, SECOND, EQUAL = "first", "second", "equal"
MAX_TIMES = 9.0
"""The largest answer on Saaty's scale."""

_MAX_BYTES = 1 << 20
_HUNDRED = 100.0
_ROUNDING = 0.5
"""By how much divided points may miss 100: thirds of it do not add up."""
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,12})?")
_CATEGORY = ("element", "victim_role", "units")
_OTHER = ("other_element", "other_victim_role", "other_units")
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "swing": ("swing_points",),
    "points": ("points_of_100",),
    "pairwise": ("heavier", "times"),
}
_VICTIMS: Mapping[str, str] = {
    "gang_member": "a gang member", "citizen": "a citizen", "police": "a police officer",
    "journalist": "a journalist", "community_leader": "a community leader", "official": "an official",
    "unknown": "a victim of unknown role",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Answers:
    """What one panelist answered.

    Parameters
    ----------
    file, panelist, kind
        Whence, from whom, and by which kind of form.
    categories
        (element, victim role) of each category, in the order of the form; the role is empty where there is none.
    units
        Harms of each category that were compared (category,).
    points
        Of ``swing`` and ``points`` (category,); empty for ``pairwise``.
    ratios
        Of ``pairwise``: (first, second) positions -> how many times heavier the first is.
    """

    file: str
    panelist: str
    kind: str
    categories: tuple[tuple[str, str], ...]
    units: NDArray[np.float64]
    points: NDArray[np.float64]
    ratios: Mapping[tuple[int, int], float]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the categories, such as ``killing:police``."""
        return tuple(category_label(*category) for category in self.categories)


def harm_words(element: str, victim_role: str | None, units: float = 1.0) -> str:
    """Return a category in words, with how many of it are meant.

    Examples
    --------
    >>> harm_words("killing", "police"), harm_words("extortion", None, 20)
    ('1 × killing of a police officer', '20 × extortion')
    """
    victim = _VICTIMS.get(victim_role or "", f"a victim of role {victim_role}")
    return f"{units:g} × {element}" + (f" of {victim}" if victim_role else "")


def build_form(
    methodology: Methodology, kind: str, panelist: str = "", units: Mapping[str, float] | None = None
) -> bytes:
    """Return an empty form as CSV, which no spreadsheet runs.

    Parameters
    ----------
    methodology
        Whose categories are to be weighed.
    kind
        One of ``KINDS``.
    panelist
        Id of whom it is for; left empty, it is to be filled in.
    units
        Category label -> how many harms of it are compared; 1 where it is not named.

    Raises
    ------
    InputError
        If a label of ``units`` is no category, a number is not above 0, or there are fewer than two categories.
    """
    units = units or {}
    known = ", ".join(methodology.category_labels)
    faults = [Fault("--units", f"is no category; there are {known}", value=label)
              for label in units if label not in methodology.category_labels]  # fmt: skip
    faults += [Fault("--units", "must be a number above 0", value=f"{label}={n:g}")
               for label, n in units.items() if not 0 < n < math.inf]  # fmt: skip
    if len(methodology.category) < 2:
        faults.append(Fault("methodology", "has one category only, so there is nothing to weigh against it"))
    if faults:
        raise InputError(faults)
    entries = [_entry(category, units.get(category.label, 1.0)) for category in methodology.category]
    if kind == "pairwise":
        rows = [_pair_row(left, right) for left, right in combinations(entries, 2)]
    else:
        asked = _SWING if kind == "swing" else _DIVIDE
        rows = [{**entry, "question": f"{asked} {harm_words(*entry.values())}?"} for entry in entries]  # type: ignore[arg-type]
    frame = pd.DataFrame([{"panelist_id": panelist, **row} for row in rows])
    return csv_bytes(frame.assign(**dict.fromkeys(_ANSWERS[kind], "")))


_SWING = "Give 100 to the worst of all lines; against it, 0 to 100: how bad is"
_DIVIDE = "Divide 100 points among all lines by how bad each is: how many for"


def _entry(category: Category, units: float) -> dict[str, str | float]:
    return {"element": category.element, "victim_role": category.victim_role or "", "units": units}


def _pair_row(left: Mapping[str, str | float], right: Mapping[str, str | float]) -> dict[str, str | float]:
    words = [harm_words(*entry.values()) for entry in (left, right)]  # type: ignore[arg-type]
    question = f"Which is worse, first: {words[0]}, or second: {words[1]}? And how many times (1 to 9)?"
    return {**left, **dict(zip(_OTHER, right.values(), strict=True)), "question": question}


def read_forms(paths: Sequence[Path]) -> tuple[Answers, ...]:
    """Read forms that were filled in, one panelist each.

    Raises
    ------
    InputError
        With every fault of every form; also where two forms are of one panelist, or weigh other categories.
    """
    read: list[Answers] = []
    faults: list[Fault] = []
    for path in paths:
        found = _read_form(path)
        if isinstance(found, Answers):
            read.append(found)
        else:
            faults += found
    faults += _faults_between(read)
    if faults:
        raise InputError(faults)
    return tuple(read)


def _faults_between(forms: Sequence[Answers]) -> Iterator[Fault]:
    owner: dict[str, str] = {}
    for form in forms:
        if form.panelist in owner:
            rule = f"has a form already ({owner[form.panelist]}); give each panelist one, under an id of their own"
            yield Fault(form.file, rule, column="panelist_id", value=form.panelist)
        owner.setdefault(form.panelist, form.file)
        for label in sorted(set(forms[0].labels) - set(form.labels)):
            yield Fault(form.file, f"lacks this category, which {forms[0].file} weighs", value=label)
        for label in sorted(set(form.labels) - set(forms[0].labels)):
            yield Fault(form.file, f"weighs this category, which {forms[0].file} lacks", value=label)


def category_faults(form: Answers, methodology: Methodology) -> list[Fault]:
    """Return how the categories of a form differ from those of a methodology."""
    own, asked = set(methodology.category_labels), set(form.labels)
    lacking = [Fault(form.file, "lacks this category of the methodology", value=label) for label in sorted(own - asked)]
    more = [Fault(form.file, "is no category of the methodology", value=label) for label in sorted(asked - own)]
    return lacking + more


def _read_form(path: Path) -> Answers | list[Fault]:
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        return [Fault(file, f"cannot be read ({error.strerror}); check the path")]
    if len(content) > _MAX_BYTES:
        return [Fault(file, f"is larger than {_MAX_BYTES:,} bytes, which no form is")]
    text = read_csv(file, content)
    if isinstance(text, list):
        return text
    kinds = [kind for kind, columns in _ANSWERS.items() if set(columns) <= set(text.columns)]
    if len(kinds) != 1:
        headings = "; ".join(", ".join(columns) for columns in _ANSWERS.values())
        return [
            Fault(file, f"is no form: it needs the columns of one kind ({headings}); write one with `weights form`")
        ]
    needed = ("panelist_id", *_CATEGORY, *(_OTHER if kinds[0] == "pairwise" else ()))
    if missing := [name for name in needed if name not in text.columns]:
        return [Fault(file, "the column is missing; write the form anew", column=name) for name in missing]
    cells = {name: [unguard(str(cell.as_py() or "").strip()) for cell in column]
             for name, column in zip(text.columns, text.cells, strict=True)}  # fmt: skip
    n = len(cells["panelist_id"])
    lines = list(range(2, n + 2)) if text.content is None else record_lines(content).tolist()
    filled = [i for i in range(n) if any(column[i] for column in cells.values())]
    if not filled:
        return [Fault(file, "has no lines below the heading")]
    return _Reader(
        file, kinds[0], {k: [v[i] for i in filled] for k, v in cells.items()}, [lines[i] for i in filled]
    ).read()


@dataclass(frozen=True, eq=False)
class _Reader:
    """One form on its way to answers; methods that return a value add to ``faults`` what is wrong with it."""

    file: str
    kind: str
    cells: Mapping[str, list[str]]
    lines: list[int]

    def read(self) -> Answers | list[Fault]:
        faults: list[Fault] = []
        panelist = self._panelist(faults)
        units = self._units(faults)
        points, ratios = np.empty(0), dict[tuple[int, int], float]()
        categories = tuple(units)
        if self.kind == "pairwise":
            ratios = self._ratios(categories, faults)
        else:
            points = self._points(categories, faults)
        if faults:
            return sorted(faults, key=lambda fault: fault.row or 0)
        amounts = np.array(list(units.values()))
        return Answers(self.file, panelist, self.kind, categories, amounts, points, ratios)

    def _fault(self, rule: str, at: int | None = None, column: str | None = None) -> Fault:
        if at is None or column is None:
            return Fault(self.file, rule, column=column)
        return Fault(self.file, rule, self.lines[at], column, self.cells[column][at])

    def _panelist(self, faults: list[Fault]) -> str:
        named = sorted({name for name in self.cells["panelist_id"] if name})
        if not named:
            faults.append(self._fault("is empty; write who filled in the form", 0, "panelist_id"))
        elif len(named) > 1:
            faults.append(self._fault(f"names several panelists ({', '.join(named)}); one form is one panelist's",
                                      column="panelist_id"))  # fmt: skip
        elif len(named[0]) > MAX_FIELD:
            faults.append(self._fault(f"is longer than {MAX_FIELD} characters", column="panelist_id"))
        return named[0] if named else ""

    def _units(self, faults: list[Fault]) -> dict[tuple[str, str], float]:
        """Return the categories in their order and how many harms of each are meant."""
        found: dict[tuple[str, str], float] = {}
        columns = (_CATEGORY, _OTHER) if self.kind == "pairwise" else (_CATEGORY,)
        for at in range(len(self.lines)):
            for element, role, units in columns:
                category = (self.cells[element][at], self.cells[role][at])
                if not category[0]:
                    faults.append(self._fault("is empty; leave the form's own columns as they were", at, element))
                amount = self._number(at, units, faults, least=0.0, open_end=True)
                if self.kind != "pairwise" and category in found:
                    faults.append(self._fault("the category stands on two lines; remove one", at, element))
                elif amount is not None and found.setdefault(category, amount) != amount:
                    rule = f"is {found[category]:g} on another line; what is compared must be the same throughout"
                    faults.append(self._fault(rule, at, units))
        return found

    def _number(
        self, at: int, column: str, faults: list[Fault], *, least: float, most: float = 1e9, open_end: bool = False
    ) -> float | None:
        text = self.cells[column][at]
        if not text:
            faults.append(self._fault("is empty; give a number", at, column))
            return None
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not least <= value <= most or (open_end and value == least):
            ends = f"above {least:g}" if open_end else f"from {least:g} to {most:g}"
            faults.append(self._fault(f"must be a number {ends}, with a point for decimals, such as 12.5", at, column))
            return None
        return value

    def _points(self, categories: Sequence[tuple[str, str]], faults: list[Fault]) -> NDArray[np.float64]:
        (column,) = _ANSWERS[self.kind]
        given = [self._number(at, column, faults, least=0.0, most=_HUNDRED) for at in range(len(self.lines))]
        points = [value for value in given if value is not None]
        if len(points) < len(given) or len(points) != len(categories):
            return np.empty(0)
        if self.kind == "swing" and max(points) != _HUNDRED:
            rule = f"the largest is {max(points):g}; the worst harm gets 100, and the others are weighed against it"
            faults.append(self._fault(rule, column=column))
        if self.kind == "points" and abs(math.fsum(points) - _HUNDRED) > _ROUNDING:
            rule = f"they add up to {math.fsum(points):g}; divide 100 points, no more and no less"
            faults.append(self._fault(rule, column=column))
        return np.array(points)

    def _ratios(self, categories: Sequence[tuple[str, str]], faults: list[Fault]) -> dict[tuple[int, int], float]:
        """Return what was compared; lines that were left empty are left out, and must not part the categories."""
        place = {category: i for i, category in enumerate(categories)}
        ratios: dict[tuple[int, int], float] = {}
        n_before = len(faults)
        for at in range(len(self.lines)):
            left, right = (place.get((self.cells[e][at], self.cells[r][at])) for e, r, _ in (_CATEGORY, _OTHER))
            heavier = self.cells["heavier"][at].casefold()
            if (not heavier and not self.cells["times"][at]) or left is None or right is None:
                continue
            if left == right or (left, right) in ratios or (right, left) in ratios:
                faults.append(self._fault("the pair is compared twice, or with itself; remove the line", at, "element"))
            elif heavier not in (FIRST, SECOND, EQUAL):
                faults.append(self._fault(f"must be {FIRST}, {SECOND} or {EQUAL}", at, "heavier"))
            elif (times := self._times(at, heavier, faults)) is not None:
                ratios[left, right] = times if heavier == FIRST else 1.0 / times
        if len(faults) == n_before and (apart := _unreached(len(categories), ratios)):
            names = ", ".join(category_label(*categories[i]) for i in apart)
            rule = f"no chain of answers connects {names} with the first category; compare at least one pair between"
            faults.append(self._fault(rule, column="heavier"))
        return ratios

    def _times(self, at: int, heavier: str, faults: list[Fault]) -> float | None:
        if heavier == EQUAL and not self.cells["times"][at]:
            return 1.0
        times = self._number(at, "times", faults, least=1.0, most=MAX_TIMES)
        if times is not None and heavier == EQUAL and times != 1.0:
            faults.append(self._fault("equal means 1 time; write 1, or say which is heavier", at, "times"))
        return times


def _unreached(n: int, ratios: Mapping[tuple[int, int], float]) -> list[int]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.array(list(ratios), dtype=int).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    part = connected_components(graph, directed=False)[1]
    return [i for i in range(n) if part[i] != part[0]]
