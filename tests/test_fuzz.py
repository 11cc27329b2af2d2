"""Whatever stands in the folder: an assessment comes out, or a list of faults. Nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import METHODOLOGY, TABLES, Damage, damages, write_assessment

from violencescore.assessment import Assessment, read_assessment
from violencescore.errors import InputError
from violencescore.methodology import Methodology, methodology_from_bytes, methodology_from_dict
from violencescore.trees import build_classes, build_trees

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def require_one_way_out(folder: Path) -> None:
    try:
        assessment = read_assessment(folder)
    except InputError as error:
        assert error.faults
        assert all(str(fault) and fault.table and fault.rule for fault in error.faults)
        return
    assert isinstance(assessment, Assessment)
    require_sound(assessment)


def require_sound(assessment: Assessment) -> None:
    """What the model relies on, whatever the input was."""
    known = set(assessment.incidents["incident_id"])
    ids = set(assessment.organizations["organization_id"]) | {"other"}
    harms, evidence = assessment.harms, assessment.evidence
    assert assessment.incidents["incident_id"].is_unique
    assert assessment.incidents["period"].isin(["baseline", "window"]).all()
    assert set(harms["incident_id"]) == known
    assert set(harms["category"]) <= set(assessment.methodology.category_labels)
    assert ((harms["low"] >= 0) & (harms["low"] <= harms["best"]) & (harms["best"] <= harms["high"])).all()
    assert set(evidence["incident_id"]) <= known
    assert set(evidence["organization_id"]) <= ids
    assert not evidence.duplicated(["piece", "organization_id"]).any()
    assert set(assessment.adjudications["incident_id"]) <= known
    assert set(assessment.adjudications["organization_id"]) <= ids
    assert assessment.organizations["rankable"].any()


@FUZZ
@given(
    hurt=st.dictionaries(
        st.sampled_from([*TABLES, "methodology"]), st.lists(damages(), min_size=1, max_size=3), max_size=3
    )
)
def test_damaged_tables_have_one_way_out(hurt: dict[str, list[Damage]]) -> None:
    contents = {name: text.encode() for name, text in {**TABLES, "methodology": METHODOLOGY}.items()}
    for name, several in hurt.items():
        for damage in several:
            contents[name] = damage(contents[name])
    with tempfile.TemporaryDirectory() as folder:
        require_one_way_out(write_assessment(Path(folder), **contents))


@FUZZ
@given(
    name=st.sampled_from(sorted(TABLES)),
    content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
)
def test_arbitrary_bytes_have_one_way_out(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        require_one_way_out(write_assessment(Path(folder), **{name: content}))


@FUZZ
@given(name=st.sampled_from(sorted(TABLES)), hurt=st.lists(damages(), max_size=2))
def test_damaged_parquet_has_one_way_out(name: str, hurt: list[Damage]) -> None:
    rows = [line.split(",") for line in TABLES[name].splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        write_assessment(Path(folder), **{name: None})
        path = Path(folder) / f"{name}.parquet"
        pd.DataFrame(rows[1:], columns=rows[0]).to_parquet(path)
        content = path.read_bytes()
        for damage in hurt:
            content = damage(content)
        path.write_bytes(content)
        require_one_way_out(Path(folder))


@FUZZ
@given(hurt=st.lists(damages(), min_size=1, max_size=4))
def test_damaged_methodologies_have_one_way_out(hurt: list[Damage]) -> None:
    content = METHODOLOGY.encode()
    for damage in hurt:
        content = damage(content)
    try:
        assert isinstance(methodology_from_bytes(content), Methodology)
    except InputError as error:
        assert error.faults


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


KEYS = (
    "id", "elements", "window", "window.start", "category", "channels", "channels.press.accuracy", "extends",
    "harms.precedence", "decision.confidence", "sampling.draws", "weights",
)  # fmt: skip


@FUZZ
@given(path=st.sampled_from(KEYS), value=VALUES)
def test_any_value_of_any_key_has_one_way_out(path: str, value: object) -> None:
    data: dict[str, object] = {"extends": "kleiman-2011"}
    inner: dict[str, object] = data
    *tables, key = path.split(".")
    for table in tables:
        inner[table] = inner = {}
    inner[key] = value
    try:
        assert len(methodology_from_dict(data).sha256) == 64
    except InputError as error:
        assert error.faults


@pytest.mark.parametrize("depth", [500, 5_000, 60_000])
def test_deep_nesting_of_a_methodology_is_a_fault(depth: int) -> None:
    for content in (b"a = " + b"[" * depth, b"a" + b".a" * depth + b" = 1", b"a = " + b"{a=" * depth):
        with pytest.raises(InputError):
            methodology_from_bytes(content)


DATED = {
    "organizations": "organization_id,name,parent_id,active_from,active_to\na,A,,2026-01-01,\nb,B,a,,2026-12-01\nc,C,,,\n",
    "events": (
        "event_id,date,kind,organization_id,other_id\n"
        "e1,2026-07-10,split,b,a\ne2,2026-07-20,alliance,a,c\ne3,2026-08-01,end,a,c\ne4,2026-08-02,merger,c,a\n"
    ),
    "networks": "network_id,region,best,low,high,unit,date,settled_id\nn1,x,10.5,5,20,t,,\nn2,y,3,,,t,2026-07-05,b\n",
    "network_evidence": "network_id,channel,organization_id,origin,source_id\nn1,press,A,o1,s\nn1,dyad,a,o2,\nn1,dyad,c,o2,\n",
    "methodology": METHODOLOGY
    + '\n[units]\nlevel = "t"\nshared = "equal"\ntree = [{ name = "t", groups = { a = ["c"] } }]\n',
}


@FUZZ
@given(hurt=st.dictionaries(st.sampled_from(list(DATED)), st.lists(damages(), min_size=1, max_size=2), max_size=3))
def test_damaged_units_and_networks_have_one_way_out(hurt: dict[str, list[Damage]]) -> None:
    rest = {"incidents": "incident_id,date,region\ni,2026-07-05,x\n", "harms": "incident_id,element,best\ni,terror,1\n"}
    contents = {name: text.encode() for name, text in (DATED | rest).items()}
    for name, several in hurt.items():
        for damage in several:
            contents[name] = damage(contents[name])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / f"{name}.{'toml' if name == 'methodology' else 'csv'}").write_bytes(content)
        require_one_way_out(Path(folder))
        try:
            assessment = read_assessment(Path(folder))
        except InputError:
            return
    level = build_trees(assessment)
    assert level is None or build_classes(assessment, level) is None or (level.days > 0).all()
    networks = assessment.networks
    assert ((networks["low"] <= networks["best"]) & (networks["best"] <= networks["high"])).all()
