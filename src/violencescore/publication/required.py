"""What a methodology requires of the robustness of a selection, and what was found of it, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from violencescore.publication.phrases import SENTENCES, WORDS
from violencescore.robustness_choices import MARGIN_UNITS
from violencescore.verdict import is_held_back

if TYPE_CHECKING:
    from violencescore.decision import Decision
    from violencescore.robustness.margins import Margin, Required

FROM_DRAWS = ("escape_margin",)
"""Margins that follow from the draws of a bundle alone; all others are stated."""


@dataclass(frozen=True)
class RequiredWords:
    """One margin that is required, as a sentence is filled from it: see `violencescore.publication.claims.Claim`."""

    kind: str
    values: Mapping[str, Any]
    shown: Mapping[str, str]
    words: Mapping[str, str]


def is_asked(decision: Decision) -> bool:
    """Whether the verdict turns on the margins that are required: the leader clears the required probability."""
    return decision.outcome == "selected" or is_held_back(decision)


def required_words(required: Required) -> RequiredWords:
    """Return what was found of a margin, for a sentence."""
    rule, margin = rule_words(required), required.margin
    if margin is None or math.isnan(margin.value):
        return RequiredWords(
            "margin.unknown" if margin is None else "margin.untold", rule.values, rule.shown, rule.words
        )
    kind = "margin.holds" if required.holds else "margin.short"
    found = margin.to_json_dict()
    values = {**rule.values, **{key: found[key] for key in ("value", "low", "high", "mcse")}}
    if math.isinf(margin.value):
        return RequiredWords(kind, values, rule.shown, {**rule.words, "found_words": "found.more"})
    between = _has_interval(margin)
    numbers = {key: values[key] for key in (("value", "low", "high") if between else ("value",))}
    of = "share" if margin.unit == "share" else "number"
    words = {**rule.words, "found_words": f"found.{of}_between" if between else f"found.{of}"}
    return RequiredWords(kind, values, {**rule.shown, **_shown(numbers, margin.unit)}, words)


def rule_words(required: Required) -> RequiredWords:
    """Return what is required of a margin, for a sentence."""
    unit = MARGIN_UNITS[required.name]
    words = {"what": required.name, "minimum_words": "minimum.share" if unit == "share" else "minimum.number"}
    values = {"name": required.name, "minimum": required.minimum}
    return RequiredWords("margin.rule", values, _shown({"minimum": required.minimum}, unit), words)


def required_sentences(decision: Decision, language: str) -> list[str]:
    """Return what is required of margins, and what was found of them where the verdict turns on that; for the page."""
    say = required_words if is_asked(decision) else rule_words
    return [fill(say(required), language) for required in decision.required_margins]


def fill(found: RequiredWords, language: str) -> str:
    """Return the sentence in a language."""
    words = {slot: WORDS[key][language].format_map(found.shown) for slot, key in found.words.items()}
    return SENTENCES[found.kind][language].format_map({**found.shown, **words})


def _has_interval(margin: Margin) -> bool:
    return margin.low < margin.high and math.isfinite(margin.low) and math.isfinite(margin.high)


def _shown(values: Mapping[str, float], unit: str) -> dict[str, str]:
    """Return numbers to four digits, shares in percent; a slot of percents says so in its name."""
    share = unit == "share"
    return {f"{key}_percent" if share else key: number(100 * x if share else x) for key, x in values.items()}


def number(value: float | None) -> str:
    """Return a number with at most four significant digits, without signs between thousands; a dash for none.

    Examples
    --------
    >>> number(0.9), number(184.26), number(12345.6), number(3)
    ('0.9', '184.3', '12346', '3')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return str(np.format_float_positional(value, 4, fractional=False, trim="-"))
