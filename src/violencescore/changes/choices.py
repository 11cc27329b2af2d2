"""What differs between two methodologies, and whether that asks for other draws or only for other sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import xarray as xr

from violencescore.methodology import Methodology
from violencescore.names import CATEGORY
from violencescore.publication.commitment import differences

type Reach = Literal["words", "rule", "sampling", "score", "model"]
"""What a changed key reaches: nothing; the rule applied to P(first); how it is sampled; the score; the model."""

_REACH: Mapping[str, Reach] = {
    "id": "words", "version": "words", "title": "words", "description": "words", "fictional": "words",
    "scenario": "words", "decision": "rule", "sampling": "sampling", "score": "score", "weights": "score",
}  # fmt: skip
"""By the first part of a key; `category` is looked at more closely; whatever else there is reaches the model."""


@dataclass(frozen=True)
class ChosenChange:
    """What was chosen otherwise.

    Attributes
    ----------
    keys
        Dotted key of each value that differs, and what it reaches.
    panel
        Whether the panel's weights differ, where they count.
    """

    keys: Mapping[str, Reach]
    panel: bool

    @property
    def scores(self) -> bool:
        """Whether the same draws would give other scores."""
        return self.panel or "score" in self.keys.values()

    @property
    def model(self) -> bool:
        """Whether other draws are needed."""
        return "model" in self.keys.values()

    @property
    def line(self) -> bool:
        """Whether the rule that is held against P(first) differs."""
        return "rule" in self.keys.values()

    @property
    def moves(self) -> bool:
        """Whether P(first) can move by what was chosen."""
        return self.scores or self.model


def compare_choices(
    before: Methodology, after: Methodology, posterior_before: xr.DataTree, posterior_after: xr.DataTree
) -> ChosenChange:
    """Compare two methodologies, and the panels' weights where they count."""
    old, new = (methodology.model_dump(mode="json") for methodology in (before, after))
    keys = [key.removeprefix("methodology.") for key in differences(old, new, "methodology")]
    reach = {key: _reach(key, before, after, posterior_before, posterior_after) for key in keys}
    counts = any(m.weights.use == "panel" for m in (before, after))
    return ChosenChange(reach, counts and _panel(posterior_before) != _panel(posterior_after))


def _reach(
    key: str, before: Methodology, after: Methodology, posterior_before: xr.DataTree, posterior_after: xr.DataTree
) -> Reach:
    first = key.split(".", 1)[0]
    if first == "category":
        # The kinds of harm shape the model; what each weighs does not.
        return "score" if before.category_labels == after.category_labels else "model"
    if key == "score.per":
        kinds = {m.score.per for m in (before, after)} - {"none"}
        return "score" if all(kinds <= _revenue(p) for p in (posterior_before, posterior_after)) else "model"
    return _REACH.get(first, "model")


def _revenue(posterior: xr.DataTree) -> set[str]:
    return set(map(str, posterior["revenue"].data_vars)) if "revenue" in posterior.children else set()


def _panel(posterior: xr.DataTree) -> dict[str, Any]:
    if "weights" not in posterior.children:
        return {}
    weights = posterior["weights"].to_dataset()["panel_weight"]
    labels = [str(label) for label in weights[CATEGORY].values]
    return {
        str(who): dict(zip(labels, map(float, row), strict=True))
        for who, row in zip(weights["panelist"].values, weights.values, strict=True)
    }
