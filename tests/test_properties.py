"""What must not move a verdict, and what may move it one way only (METHOD section 6, traps 1, 7 and 8)."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from violencescore.assessment import Assessment, read_assessment
from violencescore.decision import Decision
from violencescore.fitting import fit_assessment
from violencescore.simulation import World, simulate_world, write_simulation

WORLD = World(n_organizations=4, n_regions=4, n_incidents=350, rate_scale=0.4, adjudicated=0.1)
SEED = 3
Tables = dict[str, pd.DataFrame]


def decide(assessment: Assessment) -> Decision:
    return fit_assessment(assessment, seed=1, draws=600, tune=600, chains=4).decision


def read_changed(folder: Path, change: Callable[[Tables], None], methodology: str = "") -> Assessment:
    """Write the base assessment with changed tables and read it back."""
    simulation = simulate_world(WORLD, SEED)
    write_simulation(simulation, folder)
    tables = {name: table.copy() for name, table in simulation.tables.items()}
    change(tables)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    if methodology:
        with (folder / "methodology.toml").open("a", encoding="utf-8") as stream:
            stream.write(methodology)
    return read_assessment(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Decision:
    return decide(read_changed(tmp_path_factory.mktemp("base") / "a", lambda tables: None))


def difference(decision: Decision, base: Decision, organization: str, other: str | None = None) -> tuple[float, float]:
    """P(first) of an organization minus that in the base, and the Monte-Carlo error of this difference."""
    new, old = decision.p_first[other or organization], base.p_first[organization]
    return new.p - old.p, hypot(new.mcse, old.mcse)


def test_the_base_is_open_enough_for_the_comparisons_to_mean_something(base: Decision) -> None:
    assert 0.2 < max(p.p for p in base.p_first.values()) < 0.97


def test_duplicating_reports_moves_nothing_at_all(tmp_path: Path, base: Decision) -> None:
    def duplicate(tables: Tables) -> None:
        copies = tables["evidence"].assign(source_id="S-copy")
        tables["evidence"] = pd.concat([tables["evidence"], copies, copies])

    decision = decide(read_changed(tmp_path / "a", duplicate))
    assert {o: p.p for o, p in decision.p_first.items()} == {o: p.p for o, p in base.p_first.items()}


def test_rescaling_all_weights_moves_nothing_at_all(tmp_path: Path, base: Decision) -> None:
    from violencescore.methodology import shipped_methodology

    categories = [
        f'[[category]]\nelement = "{c.element}"\nvictim_role = "{c.victim_role or ""}"\nweight = {c.weight * 1024}\n'
        for c in shipped_methodology("kleiman-2011").category
    ]
    decision = decide(read_changed(tmp_path / "a", lambda tables: None, "\n" + "\n".join(categories)))
    assert {o: p.p for o, p in decision.p_first.items()} == {o: p.p for o, p in base.p_first.items()}


def test_renaming_and_reordering_organizations_moves_nothing_beyond_monte_carlo_error(
    tmp_path: Path, base: Decision
) -> None:
    def rename(tables: Tables) -> None:
        tables["organizations"] = tables["organizations"][::-1]
        for name, column in (
            ("organizations", "organization_id"),
            ("evidence", "organization_id"),
            ("adjudications", "organization_id"),
            ("adjudications", "framed_id"),
        ):
            values = tables[name][column]
            tables[name][column] = np.where(values.isin(["", "other"]), values, "x-" + values)
        tables["evidence"] = tables["evidence"].sample(frac=1, random_state=1)
        tables["incidents"] = tables["incidents"].sample(frac=1, random_state=2)

    decision = decide(read_changed(tmp_path / "a", rename))
    for organization in base.organizations:
        change, error = difference(decision, base, organization, f"x-{organization}")
        assert abs(change) < 4 * error


def test_an_organization_that_did_nothing_moves_nothing_beyond_monte_carlo_error(
    tmp_path: Path, base: Decision
) -> None:
    def add(tables: Tables) -> None:
        idle = pd.DataFrame({"organization_id": ["idle"], "name": ["Idle"]})
        tables["organizations"] = pd.concat([tables["organizations"], idle])

    decision = decide(read_changed(tmp_path / "a", add))
    assert decision.p_first["idle"].p < 0.01
    for organization in base.organizations:
        change, error = difference(decision, base, organization)
        assert abs(change) < 4 * error


def test_one_more_well_attributed_incident_never_lowers_the_probability_of_being_first(
    tmp_path: Path, base: Decision
) -> None:
    leader = base.leader
    assert leader is not None

    def add(tables: Tables) -> None:
        first_day = {"incident_id": "extra", "date": "2026-07-05", "region": "R01"}
        harm = {"incident_id": "extra", "element": "killing", "victim_role": "police", "best": 2, "low": 2, "high": 2}
        named = {"incident_id": "extra", "organization_id": leader, "source_id": "S1"}
        says = [{**named, "channel": c, "origin": f"extra-{c}"} for c in ("ballistics", "intelligence", "confession")]
        for name, rows in (("incidents", [first_day]), ("harms", [harm]), ("evidence", says)):
            tables[name] = pd.concat([tables[name], pd.DataFrame(rows)])

    change, error = difference(decide(read_changed(tmp_path / "a", add)), base, leader)
    assert change > -3 * error


def test_many_rivals_alone_name_nobody(tmp_path: Path) -> None:
    """One organization meets every other in its own region; nothing says who of the two did it."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "star"
    simulation = simulate_world("dyads", 1, 50)
    write_simulation(simulation, folder)
    rivals = ["basalt", "cobalt", "dolomite", "emerald", "flint"]
    pairs = [("amber", rivals[i % 5]) for i in range(400)]
    ids = [f"E{i}" for i in range(400)]
    days = pd.Timestamp("2026-07-01") + pd.to_timedelta(rng.integers(0, 56, 400), unit="D")
    regions = [f"R{i % 5}" for i in range(400)]
    pd.DataFrame({"incident_id": ids, "date": days.strftime("%Y-%m-%d"), "region": regions}).to_csv(
        folder / "incidents.csv", index=False
    )
    pd.DataFrame({"incident_id": ids, "element": "killing", "victim_role": "unknown", "best": 1}).to_csv(
        folder / "harms.csv", index=False
    )
    rows = [
        {"incident_id": i, "channel": "dyad", "organization_id": o, "origin": i}
        for i, pair in zip(ids, pairs, strict=True)
        for o in pair
    ]
    pd.DataFrame(rows).to_csv(folder / "evidence.csv", index=False)
    decision = decide(read_assessment(folder))
    assert decision.selected is None
    assert decision.p_first["amber"].p < 0.9
