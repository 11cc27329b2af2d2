"""Values that a methodology may hold, each with its bounds; and what all of its tables have in common."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _read_day(value: Any) -> Any:
    # pydantic would read 20260701 as seconds since 1970; only dates and ISO text are dates here.
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("is not a date; write it as 2026-07-01 (ISO 8601, without quotes or time)")


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
NonNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
Flag = Annotated[bool, Field(strict=True)]
Beta = tuple[Positive, Positive]
Day = Annotated[date, BeforeValidator(_read_day)]
Word = Annotated[str, Field(pattern=r"^\w[\w .\-]*$", max_length=100)]
Id = Annotated[str, Field(min_length=1, max_length=1000)]
Text = Annotated[str, Field(max_length=100_000)]


class Part(BaseModel):
    """A table of a methodology: frozen, and without room for keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
