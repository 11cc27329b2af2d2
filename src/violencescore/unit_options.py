"""What a methodology says of units (who counts as one) and of flows (what carries the drugs, and whose it is)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from violencescore.value_types import Beta, Day, Part, Word
from violencescore.wording import ManyFaults

ROWS, PARENT = "organization", "parent"
"""Trees that need no list: each row of `organizations` by itself, and all rows below one parent as one."""

type Shared = Literal["perpetrator", "equal", "each"]

Id = Annotated[str, Field(min_length=1, max_length=1000)]


class Group(Part):
    """Organizations that count as one with the organization they are listed under, from a day on where it is stated."""

    members: tuple[Id, ...]
    since: Day | None = None


def _members_alone(value: Any) -> Any:
    return {"members": value} if isinstance(value, list | tuple) else value


class Tree(Part):
    """A published answer to who belongs to whom.

    ``groups``: id of the organization that a unit is named after -> the others that count with it. Whoever is not
    listed stays what it is under ``base``: a row by itself, or a part of its parent.
    """

    name: Word
    base: Literal["organization", "parent"] = "organization"
    groups: dict[Id, Annotated[Group, BeforeValidator(_members_alone)]]

    @model_validator(mode="after")
    def _each_once(self) -> Tree:
        if not self.groups:
            raise ValueError("groups nobody; list under `groups` who counts with whom")
        listed = [*self.groups, *(member for group in self.groups.values() for member in group.members)]
        if twice := sorted({word for word in listed if listed.count(word) > 1}):
            raise ValueError(f"lists {', '.join(twice)} more than once; an organization belongs to one unit")
        return self


class Units(Part):
    """The level at which scores are made, other trees to show beside it, and how allies share an incident."""

    level: Word = ROWS
    shared: Shared = "perpetrator"
    tree: tuple[Tree, ...] = ()

    @field_validator("tree")
    @classmethod
    def _names_differ(cls, value: tuple[Tree, ...]) -> tuple[Tree, ...]:
        if found := list(_name_faults(value)):
            raise ManyFaults(found)
        return value

    @model_validator(mode="after")
    def _known_level(self) -> Units:
        if self.level not in self.names:
            known = ", ".join(self.names)
            raise ManyFaults(
                [("level", self.level, f"is no level and no tree of the methodology; choose one of {known}")]
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all trees that can be asked for."""
        return (ROWS, PARENT, *(tree.name for tree in self.tree))


def _name_faults(trees: tuple[Tree, ...]) -> Iterator[tuple[str, Any, str]]:
    seen: dict[str, int] = {}
    for i, tree in enumerate(trees, start=1):
        if tree.name in (ROWS, PARENT):
            yield f"{i}.name", tree.name, "is reserved (it needs no list); choose another"
        elif (first := seen.setdefault(tree.name, i)) != i:
            yield f"{i}.name", tree.name, f"repeats the name of tree {first}; give each its own"


class FlowRule(Part):
    """Where flows come from when there are distribution networks.

    ``use``: the networks, the estimates in `revenue`, or both ``combined``; must be stated where both are there.
    ``unlisted``: Beta prior of the share of all flow that no listed network carries.
    """

    use: Literal["networks", "estimates", "combined"] | None = None
    unlisted: Beta = (1.0, 9.0)
