"""JSON as we write it: indented, and null for every number that JSON cannot hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_text(value: Any, *, ascii_only: bool = False) -> str:
    """Return a value as JSON text; what is no JSON value (a path, a date) is written as its text.

    Examples
    --------
    >>> print(json_text({"p": float("nan")}))
    {
      "p": null
    }
    """
    return json.dumps(finite(value), indent=2, ensure_ascii=ascii_only, allow_nan=False, default=str)


def finite(value: Any) -> Any:
    """Return a value with None for each number in it that is missing or infinite."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
