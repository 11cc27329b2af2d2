"""Methodologies: what is shipped, what extends what, what is refused, and what the digest notices."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from violencescore.errors import Fault, InputError
from violencescore.methodology import (
    load_methodology,
    methodology_from_bytes,
    methodology_from_dict,
    shipped_methodology,
    shipped_names,
)

MODELS = Path(__file__).parents[1] / "models"
BASE: dict[str, Any] = {"id": "m", "version": "1", "category": [{"element": "killing", "weight": 1.0}]}


def faults_of(data: dict[str, Any]) -> tuple[Fault, ...]:
    with pytest.raises(InputError) as caught:
        methodology_from_dict(data)
    return caught.value.faults


def test_the_methodologies_that_are_promised_are_shipped() -> None:
    assert shipped_names() == (
        *("killings-only", "kleiman-2011", "kleiman-2011-cautious", "kleiman-2011-intensity"),
        "ucdp-ged-dyads",
    )


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_file_loads_under_its_own_name_with_a_title(name: str) -> None:
    methodology = shipped_methodology(name)
    assert (methodology.id, methodology.version) == (name, "1.0.0")
    assert methodology.title
    assert methodology.description
    assert methodology.window is None


def test_the_default_scores_all_victims_of_killing_and_leaves_corruption_off() -> None:
    methodology = shipped_methodology()
    killing = {f"killing:{role}" for role in methodology.victim_roles}
    assert set(methodology.category_labels) == killing | {"terror", "extortion", "kidnapping", "intimidation"}
    assert "corruption" in methodology.elements
    assert (methodology.score.estimand, methodology.score.per) == ("realized", "none")


def test_channels_that_can_be_forged_are_marked() -> None:
    forgeable = {name for name, channel in shipped_methodology().channels.items() if channel.forgeable}
    assert forgeable == {"claim", "press", "witness", "modus_operandi"}
    assert set(shipped_methodology().channels) - forgeable == {"ballistics", "intelligence", "confession"}


def test_channels_are_believed_to_be_right_more_often_than_not() -> None:
    for name in shipped_names():
        for channel in shipped_methodology(name).channels.values():
            right, wrong = channel.accuracy
            assert right > wrong


def test_intensity_is_the_default_divided_by_revenue_with_factions_counted_with_their_parents() -> None:
    base, derived = (
        shipped_methodology().model_dump(),
        shipped_methodology("kleiman-2011-intensity").model_dump(),
    )
    differs = {key for key in base if base[key] != derived[key]}
    assert differs == {"id", "title", "description", "score", "scenario", "units"}
    names = [[s["name"] for s in found["scenario"]] for found in (base, derived)]
    assert set(names[0]) - set(names[1]) == {"per revenue"}
    assert derived["score"] == {"estimand": "realized", "per": "revenue"}
    assert derived["units"] == base["units"] | {"level": "parent"}


def test_ged_dyads_name_candidates_and_count_killings_alone() -> None:
    methodology = shipped_methodology("ucdp-ged-dyads")
    assert {name for name, c in methodology.channels.items() if c.candidates} == {"dyad"}
    assert not any(channel.forgeable for channel in methodology.channels.values())
    assert set(methodology.category_labels) == {"killing:unknown", "killing:gang_member", "killing:citizen"}
    assert (methodology.weight_vector == 1).all()


def test_an_extension_overrides_single_keys_and_keeps_the_rest() -> None:
    base = shipped_methodology()
    derived = methodology_from_dict({"extends": "kleiman-2011", "id": "mine", "decision": {"confidence": 0.95}})
    assert (derived.id, derived.version) == ("mine", base.version)
    assert (derived.decision.confidence, derived.decision.extend_within) == (
        0.95,
        base.decision.extend_within,
    )
    assert derived.channels == base.channels


def test_an_extension_replaces_lists_as_a_whole() -> None:
    derived = methodology_from_dict({"extends": "kleiman-2011", "category": [{"element": "corruption", "weight": 1}]})
    assert derived.category_labels == ("corruption",)


def test_an_extension_merges_channels_by_name() -> None:
    channels = {"drone": {"forgeable": False}, "press": {"accuracy": [3, 2]}}
    derived = methodology_from_dict({"extends": "kleiman-2011", "channels": channels})
    assert derived.channels["press"].accuracy == (3, 2)
    assert derived.channels["press"].forgeable
    assert not derived.channels["drone"].forgeable
    assert set(derived.channels) == set(shipped_methodology().channels) | {"drone"}


def test_a_chain_of_extensions_is_resolved() -> None:
    assert methodology_from_dict({"extends": "kleiman-2011-intensity"}).category == shipped_methodology().category


def test_an_unknown_base_is_a_fault_that_names_the_shipped_ones_and_hides_nothing() -> None:
    base, other = faults_of({"extends": "kleiman", "decision": {"confidence": 2}})
    assert (base.table, base.column, base.value) == ("methodology.toml", "extends", "kleiman")
    assert "kleiman-2011-intensity" in base.rule
    assert other.column == "decision.confidence"


def test_the_announcement_is_the_start_unless_stated() -> None:
    window = {"start": date(2026, 7, 1), "end": "2026-08-26"}
    stated = methodology_from_dict({**BASE, "window": {**window, "announced": date(2026, 7, 1)}})
    assert methodology_from_dict({**BASE, "window": window}) == stated


def test_an_empty_victim_role_is_none() -> None:
    [category] = methodology_from_dict(
        {**BASE, "category": [{"element": "terror", "victim_role": "", "weight": 1}]}
    ).category
    assert category.victim_role is None
    assert category.label == "terror"


def test_weights_follow_the_order_of_the_categories() -> None:
    categories = [
        {"element": "terror", "weight": 2},
        {"element": "killing", "victim_role": "police", "weight": 0.5},
    ]
    methodology = methodology_from_dict({**BASE, "category": categories})
    assert methodology.category_labels == ("terror", "killing:police")
    np.testing.assert_array_equal(methodology.weight_vector, [2.0, 0.5])


def test_precedence_follows_the_elements_unless_stated() -> None:
    assert methodology_from_dict({**BASE, "elements": ["killing"]}).harms.precedence == ("killing",)


def window(**days: str) -> dict[str, Any]:
    return {"window": {"start": "2026-07-01", "end": "2026-08-26", **days}}


def category(**keys: Any) -> dict[str, Any]:
    return {"category": [{"element": "killing", "weight": 1.0}, {"element": "terror", "weight": 1.0, **keys}]}


def channel(**keys: Any) -> dict[str, Any]:
    return {"channels": {"press": {"forgeable": True, **keys}}}


FAULTS: dict[str, tuple[dict[str, Any], str, str | None, str]] = {
    "an unknown key": ({"colour": "red"}, "colour", "red", "not a key"),
    "a misspelt table": ({"decison": {}}, "decison", "{}", "did you mean decision?"),
    "a misspelt key": ({"decision": {"confidense": 0.9}}, "decision.confidense", "0.9", "did you mean confidence?"),
    "a window that ends first": (window(end="2026-06-30"), "window.end", "2026-06-30", "before the start"),
    "a baseline inside": (window(baseline_start="2026-07-01"), "window.baseline_start", "2026-07-01", "not before"),
    "a late announcement": (window(announced="2026-08-27"), "window.announced", "2026-08-27", "after the end"),
    "a day that does not exist": (window(start="2026-02-30"), "window.start", "2026-02-30", "not a date"),
    "a window without an end": ({"window": {"start": "2026-07-01"}}, "window.end", None, "missing"),
    "a day as a number": ({"window": {"start": 20260701, "end": "2026-08-26", "announced": "2026-07-01"}},
                          "window.start", "20260701", "not a date"),
    "a coin's confidence": ({"decision": {"confidence": 0.5}}, "decision.confidence", "0.5", "greater than 0.5"),
    "certainty": ({"decision": {"confidence": 1}}, "decision.confidence", "1", "less than 1"),
    "confidence as text": ({"decision": {"confidence": "0.9"}}, "decision.confidence", "0.9", "must be a number"),
    "a negative margin": ({"decision": {"margin": -0.1}}, "decision.margin", "-0.1", "greater than or equal to 0"),
    "an unknown estimand": ({"score": {"estimand": "felt"}}, "score.estimand", "felt", "'realized' or 'rate'"),
    "a category twice": (category(element="killing"), "category.2", "killing", "repeats category 1"),
    "a category twice, once with an empty role": (
        category(element="killing", victim_role=""), "category.2", "killing", "repeats category 1"),
    "an undeclared element": (category(element="murder"), "category.2.element", "murder", "elements of the methodology"),
    "an undeclared role": (category(victim_role="nun"), "category.2.victim_role", "nun", "victim roles"),
    "a weight that is no number": (category(weight=float("nan")), "category.2.weight", "nan", "finite"),
    "an infinite weight": (category(weight=float("inf")), "category.2.weight", "inf", "finite"),
    "a negative weight": (category(weight=-1), "category.2.weight", "-1", "greater than or equal to 0"),
    "a weight in words": (category(weight="one"), "category.2.weight", "one", "must be a number"),
    "a weight that is a truth value": (category(weight=True), "category.2.weight", "true", "must be a number"),
    "weights of zero": ({"category": [{"element": "killing", "weight": 0}]}, "category.weight", "0", "all weights are zero"),
    "no category": ({"category": []}, "category", "[]", "at least one"),
    "categories missing": ({"category": None}, "category", None, "list"),
    "an accuracy of one number": (channel(accuracy=[8]), "channels.press.accuracy.2", None, "missing"),
    "an accuracy of three": (channel(accuracy=[8, 2, 1]), "channels.press.accuracy", "[8, 2, 1]", "two numbers"),
    "an accuracy of zero": (channel(accuracy=[0, 2]), "channels.press.accuracy.1", "0", "greater than 0"),
    "a channel that does not say": ({"channels": {"press": {}}}, "channels.press.forgeable", None, "missing"),
    "a flag in words": (channel(forgeable="yes"), "channels.press.forgeable", "yes", "true or false"),
    "a channel with a colon": ({"channels": {"a:b": {"forgeable": True}}}, "channels.a:b", "a:b", "letters, digits"),
    "a precedence of unknowns": ({"harms": {"precedence": ["murder"]}}, "harms.precedence", "murder", "elements"),
    "a precedence twice": ({"harms": {"precedence": ["killing", "killing"]}}, "harms.precedence",
                           "['killing', 'killing']", "more than once"),
    "elements twice": ({"elements": ["killing", "killing"], "harms": {"precedence": []}}, "elements",
                       "['killing', 'killing']", "more than once"),
    "half a draw": ({"sampling": {"draws": 0.5}}, "sampling.draws", "0.5", "whole number"),
    "no chain": ({"sampling": {"chains": 0}}, "sampling.chains", "0", "greater than or equal to 1"),
    "an id with a slash": ({"id": "../up"}, "id", "../up", "letters, digits"),
    "a table that is none": ({"score": 3}, "score", "3", "table of keys"),
    "a prior of zero": ({"priors": {"kind_scale": 0.0}}, "priors.kind_scale", "0.0", "greater than 0"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "column", "value", "rule"), FAULTS.values(), ids=FAULTS)
def test_a_fault_names_key_value_and_rule(change: dict[str, Any], column: str, value: str | None, rule: str) -> None:
    [fault] = faults_of({**BASE, **change})
    assert (fault.table, fault.row, fault.column, fault.value) == ("methodology.toml", None, column, value)
    assert rule in fault.rule


def test_all_faults_come_at_once() -> None:
    categories = [
        {"element": "murder", "weight": -1},
        {"element": "killing", "victim_role": "nun", "weight": 1, "hue": 1},
    ]
    days = {
        "start": "2026-07-01",
        "end": "2026-06-01",
        "baseline_start": "2026-07-02",
        "announced": "2026-06-03",
    }
    data = {"version": "1", "category": categories, "window": days, "decision": {"confidence": 0}, "oops": 1}
    assert {fault.column for fault in faults_of(data)} == {
        "id", "category.1.element", "category.1.weight", "category.2.victim_role", "category.2.hue", "window.end",
        "window.baseline_start", "decision.confidence", "oops",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "row", "rule"),
    [
        (b'id = "m"\nversion = \n', 2, "not valid TOML"),
        (b'id = "m"\nid = "n"\n', 2, "not valid TOML"),
        (b"[window]\nstart = 2026-13-02\n", 2, "not valid TOML"),
        (b'id = "m"\ntitle = "caf\xe9"\n', 2, "not UTF-8"),
        ('id = "m"'.encode("utf-16"), 1, "not UTF-8"),
        (b"n = " + b"1" * 5_000, None, "not valid TOML"),
        (b"n = " + b"[" * 50_000, None, "nested too deeply"),
        (b"\na" + b".a" * 300 + b" = 1", 2, "more than 200 dots"),
        (b"#" * 250_001, None, "larger than"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_toml_is_a_fault_with_its_line(content: bytes, row: int | None, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        methodology_from_bytes(content)
    [fault] = caught.value.faults
    assert (fault.table, fault.row) == ("methodology.toml", row)
    assert rule in fault.rule


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine.toml: cannot be read"):
        load_methodology(tmp_path / "mine.toml")


def test_a_bom_is_read_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'\xef\xbb\xbfextends = "killings-only"\n')
    assert load_methodology(path) == shipped_methodology("killings-only")


def test_layout_and_comments_do_not_move_the_digest() -> None:
    text = (MODELS / "kleiman-2011.toml").read_text(encoding="utf-8")
    bare = re.sub(r"(?m)^\s*#.*\n|\s+#[^\"\n]*$|^\s*\n", "", text).replace(" = ", "=")
    assert len(bare) < len(text) / 2
    assert methodology_from_bytes(bare.encode()).sha256 == shipped_methodology().sha256


def test_a_whole_number_and_its_decimal_have_one_digest() -> None:
    assert methodology_from_dict({**BASE, "category": [{"element": "killing", "weight": 1}]}).sha256 == (
        methodology_from_dict(BASE).sha256
    )


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list) and value and not isinstance(value[0], str):
        return [leaf for i, inner in enumerate(value) for leaf in leaves(inner, (*path, i))]
    return [(path, value)]


def other_value(path: tuple[Any, ...], value: Any) -> Any:
    choices = {"estimand": "rate", "per": "flow", "use": "panel", "pool": "median", "level": "parent",
               "shared": "each", "tree": [{"name": "x", "groups": {"a": ["b"]}}], "pooling": "learned", "element": "corruption",
               "elements": [*value, "arson"] if isinstance(value, list) else None, "victim_role": None,
               "victim_roles": [*value, "nun"] if isinstance(value, list) else None, "precedence": [],
               "baseline_start": "2026-01-02", "start": "2026-07-02", "end": "2026-08-27", "announced": "2026-07-02",
               "model": "recorded", "dependent": [["a", "b"]], "sources": ["paper"],
               "otherwise": "extend", "unit": [{"name": "united", "kind": "merger", "join": ["a", "b"]}]}  # fmt: skip
    if path[-1] in choices:
        return choices[path[-1]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "x"
    return value + 1 if isinstance(value, int) or value > 1 else value * 0.99 + 0.001


def test_the_digest_moves_with_every_single_value() -> None:
    days = {
        "start": "2026-07-01",
        "end": "2026-08-26",
        "baseline_start": "2026-01-01",
        "announced": "2026-07-01",
    }
    whole = methodology_from_dict({"extends": "kleiman-2011", "window": days}).model_dump(mode="json")
    digests = {methodology_from_dict(whole).sha256}
    fixed = ("tie_break", "victim_role", "weights", "without_channel", "without_source")
    changes = [(path, value) for path, value in leaves(whole) if path[-1] not in fixed and value is not None]
    for path, value in changes:
        changed = methodology_from_dict(whole).model_dump(mode="json")
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = other_value(path, value)
        digests.add(methodology_from_dict(changed).sha256)
    assert len(changes) > 80
    assert len(digests) >= 1 + len(changes) - 10  # eleven categories turned to corruption, some of them alike


def test_a_methodology_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        shipped_methodology().id = "mine"  # type: ignore[misc]


def test_a_methodology_survives_json() -> None:
    for name in shipped_names():
        methodology = shipped_methodology(name)
        assert methodology_from_dict(methodology.model_dump(mode="json")) == methodology
