"""Events: who stood above whom on a day, and what cannot have been so, each fault at once."""

import pandas as pd
import pytest
from unit_cases import TABLES, faults_of, read_units

from violencescore.events import alliances, head_of, parents_on

DAY = pd.Timestamp


def test_parents_without_events_hold_throughout() -> None:
    assessment = read_units()
    assert parents_on(DAY("2026-01-01"), assessment.organizations, assessment.events) == {"a1": "a", "a2": "a"}


def test_who_splits_off_belonged_to_the_other_before_and_to_nobody_after() -> None:
    assessment = read_units(events="e1,2026-07-20,split,a1,a e2,2026-08-01,split,c,b")
    before, between, after = (
        parents_on(DAY(day), assessment.organizations, assessment.events)
        for day in ("2026-07-19", "2026-07-20", "2026-08-01")
    )
    assert before == {"a1": "a", "a2": "a", "c": "b"}
    assert between == {"a2": "a", "c": "b"}
    assert after == {"a2": "a"}


def test_who_merges_did_not_belong_there_before_even_if_the_parent_is_stated() -> None:
    assessment = read_units(events="e1,2026-07-20,merger,a1,a e2,2026-08-01,merger,b,c")
    before, after = (
        parents_on(DAY(day), assessment.organizations, assessment.events) for day in ("2026-07-19", "2026-08-01")
    )
    assert before == {"a2": "a"}
    assert after == {"a1": "a", "a2": "a", "b": "c"}


def test_the_head_is_at_the_top_of_all_and_a_circle_ends() -> None:
    assert head_of("a1", {"a1": "a", "a": "c"}) == "c"
    assert head_of("a", {"a": "b", "b": "a"}) == "b"


def test_an_alliance_lasts_until_it_or_one_of_its_members_ends() -> None:
    assessment = read_units(
        events="e1,2026-07-01,alliance,a,b e2,2026-07-11,end,b,a e3,2026-07-02,alliance,a,c e4,2026-08-01,end,c,"
    )
    found = alliances(assessment.events)
    assert [(sorted(a.pair), a.start, a.end) for a in found] == [
        (["a", "b"], DAY("2026-07-01"), DAY("2026-07-11")),
        (["a", "c"], DAY("2026-07-02"), DAY("2026-08-01")),
    ]


def test_an_end_states_the_last_day_of_an_organization_where_nothing_else_does() -> None:
    assessment = read_units(events="e1,2026-08-01,end,c,")
    last = assessment.organizations.set_index("organization_id")["active_to"]
    assert last["c"] == DAY("2026-07-31")
    assert last.drop("c").isna().all()


DATED = "a,Alpha,,2026-02-01,, a1,Alpha-North,a,,, a2,Alpha-South,a,,, b,Beta,,,2026-07-15, c,Gamma,,,,"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("e1,2026-07-20,split,a1,b", "is not whom a1 could split from: a1 belongs to a then"),
        ("e1,2026-07-20,alliance,a,", "is empty; there are two to every alliance"),
        ("e1,2026-07-20,merger,c,c", "is the organization itself"),
        ("e1,2026-07-20,merger,a,a1", "belongs to a then, so that each would stand above the other"),
        ("e1,2026-01-20,merger,c,a", "lies before a became active (2026-02-01)"),
        ("e1,2026-07-20,merger,c,b", "lies after b was last active (2026-07-15)"),
        ("e1,2026-07-10,end,b,", "ends b, which is active until 2026-07-15"),
        ("e1,2026-07-10,end,a,c", "ends an alliance that there is not"),
        ("e1,2026-07-10,treaty,a,c", "is none of split, merger, alliance, end"),
        ("e1,2026-13-10,split,a,c", "is not a date"),
        ("e1,2026-07-10,split,x,c", "is not an organization of the table organizations"),
        (",2026-07-10,split,a1,a", "is empty; every row needs an event_id"),
    ],
)
def test_what_cannot_have_been_is_a_fault(event: str, said: str) -> None:
    found = faults_of(organizations=DATED, events=event)
    assert len([fault for fault in found if said in fault]) == 1, found


def test_all_faults_of_events_and_of_other_tables_come_at_once() -> None:
    found = faults_of(
        organizations=TABLES["organizations"].replace("a,Alpha,,", "a,Alpha,a1,"),
        events="e1,2026-07-20,merger,b,b e1,2026-07-21,alliance,a,c e3,2026-07-22,alliance,c,a",
        harms="i1,killing,-1 i2,killing,2 i3,extortion,5 i4,killing,1",
    )
    for said in (
        "break the circle of parents",
        "organization itself",
        "must be unique",
        "allied already",
        "is negative",
    ):
        assert any(said in fault for fault in found), (said, found)


def test_a_circle_that_events_close_is_a_fault_of_the_event_that_closes_it() -> None:
    [found] = faults_of(events="e1,2026-07-05,merger,b,c e2,2026-07-20,merger,c,b")
    assert found.startswith("events.csv row 3")
