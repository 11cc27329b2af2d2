"""The methodology: every choice that people made before looking at the data, as one frozen record.

A methodology is a TOML file. It may start from a shipped one (``extends = "kleiman-2011"``): tables
are then merged key by key, lists are replaced as a whole. Its :attr:`Methodology.sha256` is taken of
the resolved values, so that it changes with any choice and with nothing else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from violencescore.errors import Fault, InputError
from violencescore.fingerprint import canonical_sha256
from violencescore.model_options import Channel, Episodes, Factions, FalseFlag, Priors
from violencescore.names import category_label
from violencescore.robustness_choices import Robustness
from violencescore.scenario_choices import Scenario, scenario_faults
from violencescore.value_types import Count, Day, NonNegative, Part, Positive, Share, Text, Word
from violencescore.wording import ManyFaults, plain_findings, value_as_text

DEFAULT = "kleiman-2011"
"""Name of the shipped methodology that is used where none is named."""

_FILE = "methodology.toml"
_MAX_BYTES = 250_000
_MAX_DOTS = 200  # in a line: the parser's memory grows with the square of the parts of a dotted key
_MAX_MESSAGE = 200


class Window(Part):
    """The window that is judged, and the baseline before it that informs the model only.

    ``announced`` (default: ``start``) is the day from which organizations knew that they are watched;
    ``start`` and ``end`` are the first and the last day that count.
    """

    start: Day
    end: Day
    announced: Day = Field(default_factory=lambda found: found.get("start"))  # a bad start is reported itself
    baseline_start: Day | None = None

    @field_validator("end")
    @classmethod
    def _end_after_start(cls, end: date, info: ValidationInfo) -> date:
        if (start := info.data.get("start")) and end < start:
            raise ValueError(f"lies before the start ({start}); the window runs from start to end")
        return end

    @field_validator("announced")
    @classmethod
    def _announced_before_end(cls, announced: date, info: ValidationInfo) -> date:
        if (end := info.data.get("end")) and announced > end:
            raise ValueError(f"lies after the end of the window ({end}); announce before it is over")
        return announced

    @field_validator("baseline_start")
    @classmethod
    def _baseline_before_start(cls, first: date | None, info: ValidationInfo) -> date | None:
        if first and (start := info.data.get("start")) and first >= start:
            raise ValueError(f"is not before the start of the window ({start}); the baseline ends the day before")
        return first


class Score(Part):
    """What is estimated: conduct (``realized``) or tendency (``rate``), as a total or per unit of size."""

    estimand: Literal["realized", "rate"] = "realized"
    per: Literal["none", "revenue", "flow"] = "none"


class DecisionRule(Part):
    """When one organization is named: shares of probability, and the margin by which it must lead."""

    confidence: Annotated[float, Field(strict=True, gt=0.5, lt=1)] = 0.90
    margin: NonNegative = 0.0
    extend_within: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.10
    tie_break: Literal["share"] = "share"


class Category(Part):
    """One scored kind of harm. Without a victim role it takes what no more specific category takes."""

    element: Word
    victim_role: Word | None = None
    weight: NonNegative

    @field_validator("victim_role", mode="before")
    @classmethod
    def _empty_role_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @property
    def label(self) -> str:
        """Name of the category, such as ``killing:police``."""
        return category_label(self.element, self.victim_role)


class Harms(Part):
    """Elements that may describe the same victims, the one that counts first."""

    precedence: tuple[Word, ...] = ("killing", "kidnapping")

    @field_validator("precedence")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _require_distinct(value)


class Weights(Part):
    """Whose weights count, and how a panel's are pooled."""

    use: Literal["published", "panel"] = "published"
    pool: Literal["linear", "logarithmic", "median"] = "linear"


class RevenuePrior(Part):
    """Prior of revenues, on the log scale; ``interval`` is the share that (low, high) cover."""

    pooling: Literal["fixed", "learned"] = "fixed"
    source_bias: Positive = 0.3
    source_error: Positive = 0.2
    interval: Share = 0.9
    spread: Positive = 1.0


class Sampling(Part):
    """How the posterior is drawn, and when the draws are good enough to be used."""

    draws: Count = 700
    tune: Count = 150
    chains: Annotated[int, Field(strict=True, ge=1, le=1000)] = 4
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 20111222
    target_accept: Share = 0.75
    max_rhat: Annotated[float, Field(strict=True, gt=1, allow_inf_nan=False)] = 1.01
    min_ess: NonNegative = 400
    max_divergences: Annotated[int, Field(strict=True, ge=0)] = 0
    max_extensions: Annotated[int, Field(strict=True, ge=0, le=100)] = 5


class Methodology(Part):
    """Every choice that stands behind a verdict; see the comments in ``models/kleiman-2011.toml``.

    ``category`` keeps the order of the file, which is also the order of precedence for naming the
    kind of an incident with several harms.
    """

    id: Annotated[str, Field(pattern=r"^\w[\w.\-]*$", max_length=100)]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+\-]*$", max_length=100)]
    title: Text = ""
    description: Text = ""
    fictional: Annotated[bool, Field(strict=True)] = False
    elements: tuple[Word, ...] = (
        "killing", "terror", "extortion", "kidnapping", "intimidation", "corruption",
    )  # fmt: skip
    victim_roles: tuple[Word, ...] = (
        "gang_member", "citizen", "police", "journalist", "community_leader", "official", "unknown",
    )  # fmt: skip
    window: Window | None = None
    score: Score = Score()
    decision: DecisionRule = DecisionRule()
    category: tuple[Category, ...]
    channels: dict[Word, Channel] = Field(default_factory=dict)
    false_flag: FalseFlag = FalseFlag()
    episodes: Episodes = Episodes()
    factions: Factions = Factions()
    harms: Harms = Field(default_factory=Harms, validate_default=True)
    weights: Weights = Weights()
    revenue: RevenuePrior = RevenuePrior()
    priors: Priors = Priors()
    sampling: Sampling = Sampling()
    scenario: tuple[Scenario, ...] = ()
    robustness: Robustness = Robustness()

    @field_validator("scenario")
    @classmethod
    def _known_words(cls, value: tuple[Scenario, ...], info: ValidationInfo) -> tuple[Scenario, ...]:
        words = [info.data.get(key) for key in ("elements", "victim_roles", "channels")]
        if all(part is not None for part in words) and (found := list(scenario_faults(value, *words))):  # type: ignore[arg-type]
            raise ManyFaults(found)
        return value

    @field_validator("elements", "victim_roles")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _require_distinct(value)

    @field_validator("category", mode="wrap")
    @classmethod
    def _known_categories(cls, value: Any, handler: Any, info: ValidationInfo) -> Any:
        found = list(_category_faults(value, info.data.get("elements"), info.data.get("victim_roles")))
        try:
            result = handler(value)
        except ValidationError as error:
            raise ManyFaults(found + plain_findings(error, _KEYS)) from None
        if found:
            raise ManyFaults(found)
        return result

    @field_validator("harms")
    @classmethod
    def _known_precedence(cls, value: Harms, info: ValidationInfo) -> Harms:
        if (elements := info.data.get("elements")) is None:
            return value
        unknown = [element for element in value.precedence if element not in elements]
        if unknown and "precedence" in value.model_fields_set:
            rule = f"is not among the elements of the methodology ({', '.join(elements)})"
            raise ManyFaults([("precedence", element, rule) for element in unknown])
        if unknown:
            return Harms(precedence=tuple(e for e in value.precedence if e in elements))
        return value

    @property
    def category_labels(self) -> tuple[str, ...]:
        """Labels of the categories, in the order of the file."""
        return tuple(category.label for category in self.category)

    @property
    def weight_vector(self) -> NDArray[np.float64]:
        """Published weights of the categories (category,)."""
        return np.array([category.weight for category in self.category], dtype=np.float64)

    @property
    def sha256(self) -> str:
        """Digest of the resolved values: moves with any choice, and with no comment or layout."""
        return canonical_sha256(self.model_dump(mode="json"))


_PARTS: tuple[type[BaseModel], ...] = (Methodology, *Part.__subclasses__())
_KEYS = tuple({key: None for part in _PARTS for key in part.model_fields})


def load_methodology(path: str | Path) -> Methodology:
    """Read a methodology file and whatever shipped one it extends.

    Raises
    ------
    InputError
        With every fault of the file: its name, the dotted key, the value, and the rule.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        rule = f"cannot be read ({error.strerror or type(error).__name__}); check the path and the permissions"
        raise InputError([Fault(path.name, rule)]) from None
    return methodology_from_bytes(content, path.name)


def methodology_from_bytes(content: bytes, file: str = _FILE) -> Methodology:
    """Read a methodology from the bytes of a TOML file; ``file`` names it in faults."""
    if len(content) > _MAX_BYTES:
        raise InputError([Fault(file, f"is larger than {_MAX_BYTES:,} bytes, which no methodology needs")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        rule = f"byte {error.start} of the file is not UTF-8; save the file as UTF-8"
        raise InputError([Fault(file, rule, row=line, value=repr(content[error.start : error.end]))]) from None
    for line, content_of_line in enumerate(text.split("\n"), start=1):
        if content_of_line.count(".") > _MAX_DOTS:
            rule = f"the line holds more than {_MAX_DOTS} dots; shorten it, or break it into several"
            raise InputError([Fault(file, rule, row=line)])
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        message = str(error) if isinstance(error, ValueError) else "nested too deeply"
        at_line = re.search(r"at line (\d+)", message)
        rule = f"is not valid TOML: {message[:_MAX_MESSAGE]}; correct the syntax"
        raise InputError([Fault(file, rule, row=int(at_line[1]) if at_line else None)]) from None
    return methodology_from_dict(data, file)


def methodology_from_dict(data: Mapping[str, Any], file: str = _FILE) -> Methodology:
    """Check the parsed keys of a methodology; ``file`` names it in faults.

    Raises
    ------
    InputError
        With every fault: the dotted key (lists count from 1), the value, and the rule.

    Examples
    --------
    >>> stricter = {"extends": "killings-only", "decision": {"confidence": 0.95}}
    >>> methodology_from_dict(stricter).decision.confidence
    0.95
    """
    faults: list[Fault] = []
    own = dict(data)
    base = own.pop("extends", None)
    if base is not None:
        if not isinstance(base, str) or base not in shipped_names():
            rule = f"is not a shipped methodology; extend one of {', '.join(shipped_names())}"
            faults.append(Fault(file, rule, column="extends", value=value_as_text(base)))
            base = DEFAULT  # so that the other faults of the file are still found
        own = _merge(shipped_methodology(base).model_dump(mode="json", exclude_none=True), own)
    try:
        methodology = Methodology.model_validate(own)
    except ValidationError as error:
        faults += [
            Fault(file, rule, column=key, value=value_as_text(value))
            for key, value, rule in plain_findings(error, _KEYS)
        ]
        raise InputError(faults) from None
    if faults:
        raise InputError(faults)
    return methodology


def shipped_methodology(name: str = DEFAULT) -> Methodology:
    """Return a methodology that comes with the package; `shipped_names` lists them."""
    if name not in shipped_names():
        rule = f"is not a shipped methodology; there are {', '.join(shipped_names())}"
        raise InputError([Fault(_FILE, rule, value=name)])
    return load_methodology(_models_folder() / f"{name}.toml")


def shipped_names() -> tuple[str, ...]:
    """Return the names of the methodologies that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _models_folder().glob("*.toml")))


def _models_folder() -> Path:
    packaged = Path(__file__).parent / "models"  # in a wheel; in a checkout they stand beside src/
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "models"


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        merged[key] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _require_distinct(words: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise ValueError(f"lists {', '.join(twice)} more than once; list each once")
    return words


def _category_faults(
    value: Any, elements: tuple[str, ...] | None, roles: tuple[str, ...] | None
) -> Iterator[tuple[str, Any, str]]:
    # Works on the raw list, so that a bad weight in one category does not hide a bad role in another.
    if not isinstance(value, list | tuple):
        return
    if not value:
        yield "", value, "is empty; state at least one category"
    seen: dict[tuple[str, str], int] = {}
    raw = [(i, item) for i, item in enumerate(value, start=1) if isinstance(item, dict)]
    for i, item in raw:
        element, role = item.get("element"), item.get("victim_role") or ""
        if not isinstance(element, str) or not isinstance(role, str):
            continue
        if elements is not None and element not in elements:
            rule = f"is not among the elements of the methodology ({', '.join(elements)})"
            yield f"{i}.element", element, rule
        if role and roles is not None and role not in roles:
            rule = f"is not among the victim roles of the methodology ({', '.join(roles)})"
            yield f"{i}.victim_role", role, rule
        if (first := seen.setdefault((element, role), i)) != i:
            label = category_label(element, role)
            yield str(i), label, f"repeats category {first}; state each element and victim role once"
    weights = [item.get("weight") for _, item in raw]
    if weights and all(weight == 0 for weight in weights):
        yield "weight", 0, "all weights are zero, so nothing would count; give at least one category a weight"
