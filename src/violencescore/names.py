"""Names of dimensions, periods and reserved ids: each word is written once."""

from __future__ import annotations

CHAIN = "chain"
DRAW = "draw"
ORGANIZATION = "organization"
CATEGORY = "category"
REGION = "region"
PERIOD = "period"
CHANNEL = "channel"
PANELIST = "panelist"
RANK = "rank"

OTHER = "other"
"""Everyone who is not a listed organization: modelled, never ranked."""

FALSE_FLAG = "false_flag"
"""Beside the actors, what has a probability for each incident: that it was staged as another's work."""

UNREPORTED = "harm_unreported"
"""Draws of harm that no source lists, among the draws of harm; absent where it is not estimated."""

BASELINE = "baseline"
WINDOW = "window"
PERIODS = (BASELINE, WINDOW)


def category_label(element: str, victim_role: str | None) -> str:
    """Return the label of a scoring category.

    Examples
    --------
    >>> category_label("killing", "police")
    'killing:police'
    >>> category_label("extortion", None)
    'extortion'
    """
    return f"{element}:{victim_role}" if victim_role else element
