"""From the table of reports to unreported harm: histories, delays, draws, and what a verdict says of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from design_cases import METHODOLOGY, build_case, read_case, replace_tables, simulated
from strategies import write_assessment

from violencescore import cli
from violencescore.assessment import Assessment
from violencescore.attribution import attribute_draws
from violencescore.counts import mean_count
from violencescore.decision import RECORDED_ONLY, WITH_UNREPORTED
from violencescore.delays import reverse_counts, sample_arrivals
from violencescore.design import SILENT
from violencescore.errors import InputError, RefusedError
from violencescore.fitting import fit_assessment
from violencescore.listings import COMPLETE, EDGES, REST, age_class, build_histories, why_recorded_only
from violencescore.methodology import Methodology, methodology_from_dict
from violencescore.model.quantities import initial_vector, quantities
from violencescore.names import UNREPORTED
from violencescore.publication.draws import draw_files, read_draws
from violencescore.unreported import unreported_harms
from violencescore.verdict import decide_posterior

TWO = ["a,Alpha,true", "b,Beta,true"]
FOUR = {
    "organizations": TWO,
    "incidents": ["i1,2026-07-02,north", "i2,2026-07-03,south", "i3,2026-02-03,north", "i4,2026-08-26,north"],
    "harms": ["i1,killing,police,1,1,1", "i2,extortion,,2,2,2", "i3,killing,police,1,1,1", "i4,extortion,,1,1,1"],
    "evidence": ["i1,press,a,o1,s1", "i2,claim,b,o2,s2"],
}


def case(*reports: str, toml: str = "") -> Assessment:
    return read_case(METHODOLOGY + toml, **FOUR, **({"reports": list(reports)} if reports else {}))


def with_options(assessment: Assessment, **options: object) -> Assessment:
    methodology = assessment.methodology
    changed = methodology.model_copy(update={"reporting": methodology.reporting.model_copy(update=options)})
    return dataclasses.replace(assessment, methodology=changed)


def test_histories_count_incidents_by_cell_and_by_which_sources_list_them() -> None:
    assessment = case("i1,radio,", "i1,paper,", "i2,paper,", "i3,paper,", "i3,radio,")
    found = build_histories(assessment, build_case(assessment)[0])
    assert found.sources == ("paper", "radio")
    assert found.n.sum() == 3
    assert found.n_shared == 2
    assert found.unlisted.tolist() == [0.0, pytest.approx(1 / 3)]
    assert (found.cells[:, 3] == COMPLETE).all()
    assert found.days[:, COMPLETE].tolist() == [1.0, 1.0]


def test_a_report_that_stands_twice_changes_nothing() -> None:
    once = case("i1,radio,", "i1,paper,", "i2,paper,")
    twice = case("i1,radio,", "i1,paper,", "i1,radio,", "i2,paper,", "i2,paper,")
    design = build_case(once)[0]
    for one, other in zip(
        dataclasses.astuple(build_histories(once, design)),
        dataclasses.astuple(build_histories(twice, design)),
        strict=True,
    ):
        assert np.array_equal(one, other)


def test_small_sources_count_as_one() -> None:
    silenced = simulated("silenced", 1, 1500)
    few = silenced.reports.copy()
    few.loc[few.index[:5], "source_id"] = [f"leaflet {i}" for i in range(5)]
    changed = replace_tables(silenced, reports=few)
    assert build_histories(changed, build_case(silenced)[0]).sources[-1] == REST


def test_without_a_table_of_reports_nothing_is_estimated_and_it_says_so() -> None:
    assert why_recorded_only(case()) == "There is no table of reports."


def test_one_source_is_not_enough_and_is_refused_when_asked_for() -> None:
    one = case("i1,paper,", "i2,paper,")
    assert "1 source(s)" in why_recorded_only(one)
    with pytest.raises(RefusedError, match="with one list nothing tells how much it misses"):
        fit_assessment(with_options(one, model="capture"))


def test_few_incidents_in_common_are_not_enough_unless_asked_for() -> None:
    two = case("i1,paper,", "i2,paper,", "i1,radio,")
    assert "1 incidents in common" in why_recorded_only(two)
    assert why_recorded_only(with_options(two, model="capture")) == ""
    assert "recorded violence only" in why_recorded_only(with_options(two, model="recorded"))


def test_faults_of_the_reporting_options_are_all_named() -> None:
    with pytest.raises(InputError) as raised:
        methodology_from_dict(
            {
                "extends": "kleiman-2011",
                "reporting": {"model": "guess", "dependent": [["a", "a"]], "odds_ratio": 0, "as_of": "tomorrow"},
            }
        )
    columns = [fault.column for fault in raised.value.faults]
    assert columns == ["reporting.model", "reporting.dependent", "reporting.odds_ratio", "reporting.as_of"]


def test_a_report_before_its_incident_is_a_fault() -> None:
    with pytest.raises(InputError) as raised:
        case("i1,paper,2026-07-01", "i2,paper,2026-07-03")
    fault = raised.value.faults[0]
    assert (fault.table, fault.row, fault.column, fault.value) == ("reports.csv", 2, "reported_on", "2026-07-01")
    assert "lies before the incident (2026-07-02)" in fault.rule


def test_delays_are_those_of_the_first_report_up_to_the_cut_off() -> None:
    rows = ("i1,paper,2026-07-09", "i1,paper,2026-07-04", "i2,radio,2026-07-30", "i4,paper,2026-08-27")
    assessment = case(*rows, toml="\n[reporting]\nas_of = 2026-08-26\n")
    found = build_histories(assessment, build_case(assessment)[0])
    assert sorted(map(tuple, found.delays.tolist())) == [(0, 2, 55), (1, 27, 54)]
    assert found.n.sum() == 2  # that of i4 came too late
    window = found.days[1]
    assert window[age_class(np.array([0, 30]))].min() > 0
    assert window.sum() == pytest.approx(1)


def test_reverse_hazards_count_only_incidents_old_enough() -> None:
    delays = np.array([[0, 0, 40], [0, 2, 40], [0, 2, 2], [0, 2, 1], [0, 8, 40]])
    came, could = reverse_counts(delays, 1)
    assert came[2, 0] == 2  # by day 2, and of those that came at all by then
    assert could[2, 0] == 3
    assert (came[7, 0], could[7, 0]) == (1, 3)


def test_right_truncated_delays_are_recovered() -> None:
    rng = np.random.default_rng(1)
    n = 6000
    age = rng.integers(0, 120, n)
    delay = np.floor(rng.exponential(12, n)).astype(int)
    seen = delay <= age
    delays = np.column_stack([np.zeros(seen.sum(), dtype=int), delay[seen], age[seen]])
    arrivals = sample_arrivals(delays, 1, 200, rng)[:, :, 0]
    for days in (1, 8, 15, 30):
        c = age_class(np.array([days]))[0]
        truth = np.mean([1 - np.exp(-(d + 1) / 12) for d in range(EDGES[c], EDGES[c + 1])])
        low, high = np.quantile(arrivals[:, c], [0.01, 0.99])
        assert low - 0.02 < truth < high + 0.02
    naive = (delay[seen] <= 8).mean()  # without regard to truncation delays look short
    assert naive > 1 - np.exp(-9 / 12)


def test_what_is_unreported_has_the_rate_of_what_is_recorded_times_the_odds() -> None:
    assessment = simulated("plain", 2, 300)
    design, kernel = build_case(assessment)
    vectors = np.repeat(initial_vector(kernel, design)[None, None], 400, axis=1)
    shape = (len(design.kinds), len(design.regions), len(design.periods))
    odds = np.random.default_rng(3).uniform(0.1, 2.0, shape)
    every = np.broadcast_to(odds, (1, 400, *shape))
    found = attribute_draws(kernel, design, vectors, 1, odds=np.ascontiguousarray(every))
    drawn = quantities(kernel, design, vectors[:, :1])
    expected = np.einsum("ctk,rk,crt->tck", drawn["rate"].values[0, 0], drawn["presence"].values[0, 0], odds)
    mean = found.n_unreported[0].mean(axis=0)
    assert (np.abs(mean - expected) < 5 * np.sqrt(expected / 400) + 1e-9).all()


def test_without_odds_nothing_is_unreported_and_no_other_number_moves() -> None:
    assessment = simulated("dyads", 2, 200)
    design, kernel = build_case(assessment)
    vectors = np.repeat(initial_vector(kernel, design)[None, None], 20, axis=1)
    none = attribute_draws(kernel, design, vectors, 1)
    assert none.n_unreported.size == 0
    zeros = np.zeros((1, 20, len(design.kinds), len(design.regions), len(design.periods)))
    found = attribute_draws(kernel, design, vectors, 1, odds=zeros)
    assert not found.n_unreported.any()
    assert np.array_equal(found.responsibility, none.responsibility)


def test_incidents_between_candidates_are_missed_as_others_are() -> None:
    assessment = simulated("dyads", 2, 300)
    design, kernel = build_case(assessment)
    vectors = np.repeat(initial_vector(kernel, design)[None, None], 400, axis=1)
    ones = np.ones((1, 400, len(design.kinds), len(design.regions), len(design.periods)))
    found = attribute_draws(kernel, design, vectors, 1, odds=ones)
    rate = quantities(kernel, design, vectors[:, :1])["rate"].values.sum()
    contested = design.groups.n[design.patterns.contest[design.groups.pattern] >= 0].sum()
    assert found.n_unreported.sum(axis=(2, 3, 4)).mean() == pytest.approx(rate + contested, rel=0.02)


@pytest.mark.parametrize("n", [3, 1000])
def test_unreported_harm_is_like_that_of_recorded_incidents(n: int) -> None:
    assessment = simulated("plain", 3, 400)
    design, _ = build_case(assessment)
    n_actors = len(design.actors)
    alike = np.full((len(design.groups.n), n_actors), 1 / n_actors)
    counts = np.full((1, 300, 1, len(design.kinds), n_actors), float(n))
    harm = unreported_harms(design, alike, counts, 5)
    profiles = design.profiles
    kind = design.groups.kind[profiles.group]
    owner = np.repeat(np.arange(len(profiles.n)), np.diff(profiles.start))
    each = profiles.n[owner] * mean_count(profiles.low, profiles.best, profiles.high)
    of_kind = np.bincount(kind, weights=profiles.n)
    expected = np.zeros(len(design.categories))
    np.add.at(expected, profiles.category, n * each / of_kind[kind[owner]])
    mean = harm[0].mean(axis=(0, 1, 2))
    error = harm[0, :, 0].std(axis=(0, 1)) / np.sqrt(300 * n_actors)
    assert (np.abs(mean - expected) < 5 * error + 1e-9).all()
    assert (harm == np.round(harm)).all()


def test_the_silence_of_a_channel_says_nothing_where_none_of_its_sources_lists_the_incident() -> None:
    reports = ("i1,paper,", "i2,radio,", "i3,paper,", "i4,radio,")
    free, tied = (case(*reports, toml=toml) for toml in ("", '\n[channels.press]\nsources = ["paper"]\n'))

    def silent(assessment: Assessment) -> list[bool]:
        design = build_case(assessment)[0]
        h = design.channels.index("press")
        patterns, factors = design.patterns, design.factors
        members = [
            set(patterns.forged[patterns.forged_start[p] : patterns.forged_start[p + 1]])
            for p in design.groups.pattern[design.incident_group]
        ]
        return [any(factors.kind[f] == SILENT and factors.channel[f] == h for f in own) for own in members]

    assert silent(free) == [False, True, True, True]
    assert silent(tied) == [False, False, True, False]


HISTORIES = "a,b,count\n1,1,40\n1,0,60\n0,1,50\n"


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.run(["reporting", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_command_counts_the_cases_of_published_histories(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lists.csv").write_text(HISTORIES, encoding="utf-8")
    status, out, _ = command(capsys, tmp_path / "lists.csv", "--draws", 50, "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["incidents"], found["sources"]) == (150, ["a", "b"])
    assert found["cases"]["0.5"][1] < found["cases"]["1"][1] < found["cases"]["2"][1]
    assert [row["odds_ratio"] for row in found["odds_ratios"]] == [0.5, 2.0]
    status, out, _ = command(capsys, tmp_path / "lists.csv", "--draws", 50, "--dependent", "a,b")
    assert status == 0
    assert "150 incidents on 2 lists" in out
    assert "All cases, listed or not:" in out


def test_the_command_refuses_what_it_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lists.csv").write_text(HISTORIES, encoding="utf-8")
    assert command(capsys, tmp_path / "lists.csv", "--dependent", "a,c")[0] == 2
    (tmp_path / "bad.csv").write_text("a,b,count\n1,2,40\n1,0,-1\n", encoding="utf-8")
    status, out, _ = command(capsys, tmp_path / "bad.csv", "--json")
    assert status == 2
    assert [(fault["row"], fault["column"]) for fault in json.loads(out)["faults"]] == [(3, "count"), (2, "b")]
    folder = write_assessment(tmp_path / "few")
    status, out, _ = command(capsys, folder, "--json")
    assert status == 2
    assert "too little to tell" in json.loads(out)["faults"][0]["rule"]


def test_unreported_harm_is_published_apart_and_read_back() -> None:
    methodology = read_case(METHODOLOGY, **FOUR).methodology
    labels = list(methodology.category_labels)
    dims, rest = ("chain", "draw", "organization", "category"), ("chain", "draw", "category")
    harm = np.random.default_rng(1).poisson(3, (2, 5, 2, len(labels)))
    data = {"harm_realized": (dims, harm + 1), "harm_other": (rest, harm[:, :, 0]), "harm_rate": (dims, harm + 0.5)}
    data |= {UNREPORTED: (dims, harm), f"{UNREPORTED}_other": (rest, harm[:, :, 1])}
    coords = {"organization": ["a", "b"], "category": labels}
    files = draw_files(xr.DataTree.from_dict({"harms": xr.Dataset(data, coords=coords)}), methodology)
    found = read_draws(files, methodology, {"a": "Alpha", "b": "Beta"}, None)
    assert np.array_equal(found["harms"][UNREPORTED].values, harm)
    assert decide_posterior(found, methodology, {"converged": True}).counts_unreported
    del files["draws/harm_unreported.csv"]
    without = read_draws(files, methodology, {"a": "Alpha", "b": "Beta"}, None)
    assert not decide_posterior(without, methodology, {"converged": True}).counts_unreported


def small_fit(assessment: Assessment, **options: object):
    methodology = assessment.methodology
    loose = methodology.sampling.model_copy(update={"max_rhat": 2.0, "min_ess": 0.0, "max_extensions": 0})
    changed: Methodology = methodology.model_copy(update={"sampling": loose})
    chosen = with_options(dataclasses.replace(assessment, methodology=changed), **options)
    return fit_assessment(chosen, 1, draws=60, tune=60, chains=2, densities=False)


def test_a_fit_counts_what_no_source_lists_and_says_so() -> None:
    silenced = simulated("silenced", 4, 400)
    found = small_fit(silenced)
    harms = found.posterior["harms"]
    assert (harms["harm_realized"] >= harms[UNREPORTED]).all()
    assert float(harms[UNREPORTED].sum()) > 0
    assert float(harms["harm_rate"].mean()) > 0
    assert WITH_UNREPORTED in found.decision.reasons
    assert found.decision.counts_unreported
    names = {str(row["parameter"]).partition("[")[0] for row in found.diagnostics.identification}
    assert {"listed", "listed_by", "visibility"} <= names
    assert found.seconds["listing"] > 0
    parameters = found.posterior["posterior"]
    assert ((parameters["listed"] > 0) & (parameters["listed"] <= 1)).all()


def test_a_fit_told_to_counts_recorded_violence_only_and_says_so() -> None:
    found = small_fit(simulated("silenced", 4, 400), model="recorded")
    assert UNREPORTED not in found.posterior["harms"]
    assert RECORDED_ONLY in found.decision.reasons
    assert not found.decision.counts_unreported
    assert "listing" not in found.seconds


def test_regions_may_differ_by_who_is_active_there() -> None:
    found = small_fit(simulated("silenced", 4, 400), by_dominant=True)
    assert found.decision.counts_unreported


def test_where_reports_are_late_the_last_weeks_count_as_incomplete() -> None:
    silenced = simulated("silenced", 4, 900)
    rng = np.random.default_rng(2)
    dates = silenced.incidents.set_index("incident_id")["date_start"]
    late = silenced.reports["incident_id"].map(dates) + pd.to_timedelta(rng.exponential(20, len(silenced.reports)), "D")
    dated = silenced.reports.assign(reported_on=late.dt.floor("D"))
    seen = dated[dated["reported_on"] <= pd.Timestamp(silenced.methodology.window.end)].reset_index(drop=True)
    truth = silenced.reports["incident_id"].nunique()
    listed = build_histories(replace_tables(silenced, reports=seen), build_case(silenced)[0])
    assert listed.n.sum() < truth
    found = small_fit(replace_tables(silenced, reports=seen), as_of=silenced.methodology.window.end)
    share = found.posterior["posterior"]["listed"].mean(["chain", "draw", "region"])
    assert float(share.sel(period="window")) < float(share.sel(period="baseline"))


@pytest.mark.slow
def test_silencing_the_press_of_one_region_does_not_clear_who_is_active_there() -> None:
    lower = []
    for seed in range(4):
        whole = simulated("silenced", 20 + seed, 900)
        before = fit_assessment(whole, seed, densities=False)
        leader = max(before.decision.p_first, key=lambda key: before.decision.p_first[key].p)
        presence = before.posterior["posterior"]["presence"].mean(["chain", "draw"]).sel(actor=leader)
        region = str(presence["region"].values[int(presence.argmax("region"))])
        there = whole.incidents.loc[whole.incidents["region"] == region, "incident_id"]
        press = whole.reports["source_id"].str.endswith("press") & whole.reports["incident_id"].isin(there)
        lost = press & (np.random.default_rng(seed).random(len(press)) < 0.6)
        kept = whole.reports[~lost].reset_index(drop=True)
        silent = ~whole.incidents["incident_id"].isin(kept["incident_id"])
        gone = set(whole.incidents.loc[silent, "incident_id"])
        tables = {
            name: (frame := getattr(whole, name))[~frame["incident_id"].isin(gone)].reset_index(drop=True)
            for name in ("incidents", "harms", "evidence", "adjudications")
        }
        after = fit_assessment(replace_tables(whole, reports=kept, **tables), seed, densities=False)
        lower.append(before.decision.p_first[leader].p - after.decision.p_first[leader].p)
    assert np.mean(lower) < 0.15
