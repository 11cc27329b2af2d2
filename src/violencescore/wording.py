"""What pydantic finds in a methodology, in plain words with the way out."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from datetime import date
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_MAX_VALUE = 200

_RULES = {
    "missing": "is missing; state it",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list",
    "model_type": "must be a table of keys and values",
    "model_attributes_type": "must be a table of keys and values",
    "dict_type": "must be a table of keys and values",
    "string_pattern_mismatch": (
        "must start with a letter or digit and hold only letters, digits, dots, hyphens and underscores"
    ),
}


class ManyFaults(ValueError):
    """Carries several (key, value, rule) out of one pydantic validator, which may raise only once."""

    def __init__(self, found: list[tuple[str, Any, str]]) -> None:
        self.found = found
        super().__init__("several faults")


def plain_findings(error: ValidationError, known: Sequence[str]) -> list[tuple[str, Any, str]]:
    """Turn pydantic's findings into (dotted key, value, rule in plain words).

    Lists count from 1. ``known`` are the keys among which a misspelt one looks for its like.
    """
    found: list[tuple[str, Any, str]] = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "default_factory_not_called":
            continue  # the key that the default would have come from is reported itself
        path = [str(part + 1) if isinstance(part, int) else part for part in detail["loc"]]
        key = ".".join(part for part in path if part != "[key]")
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ManyFaults):
            found += [(f"{key}.{inner}" if inner else key, value, rule) for inner, value, rule in cause.found]
        else:
            value = None if detail["type"] == "missing" else detail["input"]
            found.append((key, value, _rule(detail, known)))
    return found


def value_as_text(value: Any) -> str | None:
    """Show a value of a methodology, bounded in depth and size whatever stands there."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value[:_MAX_VALUE]
    if isinstance(value, float | date):
        return str(value)
    return reprlib.repr(value)


def _rule(detail: ErrorDetails, known: Sequence[str]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _RULES:
        return _RULES[kind]
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(detail["loc"][-1])[:_MAX_VALUE], known, n=1)
        hint = f"did you mean {near[0]}?" if near else "remove it, or correct its name"
        return f"is not a key of the methodology; {hint}"
    if kind == "too_long" and context.get("max_length") == 2:
        return "must hold two numbers, the parameters of a Beta distribution"
    if kind in {"too_short", "too_long"}:
        bound = "at least" if kind == "too_short" else "at most"
        return f"must hold {bound} {context.get('min_length', context.get('max_length'))} entries"
    return detail["msg"].replace("Input should", "must", 1)
