"""Figures for papers and slides: right numbers, captions that conclude, files that carry them, hostile names."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from calibration_cases import made_up
from matplotlib.figure import Figure
from report_cases import DECISIONS, HOSTILE, KLEIMAN, OUTCOMES, decision_with, spread_over

from violencescore import cli
from violencescore.calibration.folder import open_folder, write_record
from violencescore.calibration.plan import Settings, Task
from violencescore.errors import InputError
from violencescore.names import CATEGORY, ORGANIZATION
from violencescore.ranks import rank_probabilities
from violencescore.report import captions
from violencescore.report.calibration import plot_reliability
from violencescore.report.figure_files import write_figure
from violencescore.report.figures import rank_heat_map, rankogram, score_intervals
from violencescore.report.plots import RUN_PLOTS, Plot
from violencescore.report.what_if_figures import first_by_confidence, stretches, weight_plane_figure
from violencescore.scores import published_weights, score_draws
from violencescore.weight_plane import N_STEPS, build_weight_plane, hinging_pair

DECISION_FIGURES = (rank_heat_map, rankogram, score_intervals, first_by_confidence)
CAPTIONS = (
    captions.heat_map_caption, captions.rankogram_caption, captions.score_intervals_caption, captions.confidence_caption,
)  # fmt: skip
POLICE, EXTORTION = "killing:police", "extortion"


def tiny_posterior(seed=3, n_draws=40):
    """Draws of harm of three organizations: g0 kills policemen, g1 extorts, g2 does little."""
    rng = np.random.default_rng(seed)
    labels = list(KLEIMAN.category_labels)
    harm = np.zeros((2, n_draws, 3, len(labels)))
    for k, (police, extorted) in enumerate(((12, 10), (2, 60), (1, 5))):
        harm[:, :, k, labels.index(POLICE)] = rng.poisson(police, (2, n_draws))
        harm[:, :, k, labels.index(EXTORTION)] = rng.poisson(extorted, (2, n_draws))
    dims = ("chain", "draw", ORGANIZATION, CATEGORY)
    coords = {ORGANIZATION: ["g0", "g1", "g2"], CATEGORY: labels}
    return xr.DataTree.from_dict(
        {"harms": xr.Dataset({"harm_realized": (dims, harm), "harm_rate": (dims, harm)}, coords)}
    )


@pytest.fixture(scope="module")
def plane():
    return build_weight_plane(tiny_posterior(), KLEIMAN, (POLICE, EXTORTION))


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("draw", DECISION_FIGURES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_can_be_drawn_as_a_figure_of_matplotlib(draw, outcome):
    assert isinstance(draw(DECISIONS[outcome]), Figure)


@pytest.mark.parametrize("draw", DECISION_FIGURES)
def test_twelve_organizations_with_hostile_names_are_drawn_and_written(draw, tmp_path):
    names = [*HOSTILE, *(f"Group {i}" for i in range(12 - len(HOSTILE)))]
    figure = draw(decision_with(spread_over(12), names=names))
    for ending in ("svg", "png", "pdf"):
        write_figure(figure, tmp_path / f"figure.{ending}", title=HOSTILE[0], caption=" ".join(HOSTILE))
    svg = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert "<script" not in svg
    assert "\x1b" not in svg


def test_a_rankogram_has_a_panel_for_each_organization_whose_bars_are_its_probabilities():
    decision = DECISIONS["no_selection"]
    figure = rankogram(decision)
    assert [axes.get_title() for axes in figure.axes] == [
        decision.names[k] for k in decision.ranking["organization_id"]
    ]
    drawn = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    np.testing.assert_allclose(drawn, decision.ranking[["p_rank_1", "p_rank_2", "p_rank_3"]].to_numpy())


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_outcome_at_the_stated_confidence_is_the_verdict(outcome):
    decision = DECISIONS[outcome]
    (at,) = [part for part in stretches(decision) if part.low <= decision.confidence_required <= part.high]
    assert at.outcome == outcome


def test_a_higher_confidence_never_names_whom_a_lower_one_did_not():
    order = {"selected": 0, "extend": 1, "no_selection": 2}
    found = [order[part.outcome] for part in stretches(DECISIONS["extend"])]
    assert found == sorted(found)


def test_where_the_leader_is_held_back_for_another_reason_no_confidence_names_it():
    held = dataclasses.replace(DECISIONS["selected"], outcome="extend", selected=None)
    assert "selected" not in {part.outcome for part in stretches(held)}


def test_the_caption_of_the_confidence_says_up_to_where_the_leader_is_named():
    said = captions.confidence_caption(DECISIONS["selected"])
    last = next(part.high for part in stretches(DECISIONS["selected"]) if part.outcome == "selected")
    assert said.startswith(f"Group 0 is named at any stated confidence up to {last:g}")
    assert "No stated confidence changes that" in captions.confidence_caption(DECISIONS["not_estimable"])


@pytest.mark.parametrize("caption", CAPTIONS)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_caption_is_sentences_that_show_hostile_names_as_text(caption, outcome):
    decision = decision_with([3900, 60, 40], names=["\u202eevil", "\x1b[31mred", "B"], converged=outcome == "selected")
    said = caption(decision)
    assert said.endswith(".")
    assert said.isprintable()


def test_a_plane_at_the_published_weights_is_the_ranking_of_the_verdict(plane):
    posterior = tiny_posterior()
    scores = score_draws(posterior, KLEIMAN)
    expected = rank_probabilities(scores).sel(rank=1).values
    row, column = (
        np.flatnonzero(np.isclose(plane.y, plane.published[1])),
        np.flatnonzero(np.isclose(plane.x, plane.published[0])),
    )
    np.testing.assert_allclose(plane.p_first[row[0], column[0]], expected, atol=1e-12)
    weights = published_weights(posterior, KLEIMAN)
    assert plane.published == (float(weights.sel(category=POLICE)), float(weights.sel(category=EXTORTION)))


def test_any_point_of_a_plane_is_what_those_weights_give(plane):
    posterior = tiny_posterior()
    weights = published_weights(posterior, KLEIMAN).copy()
    weights.loc[{CATEGORY: POLICE}], weights.loc[{CATEGORY: EXTORTION}] = plane.x[7], plane.y[50]
    expected = rank_probabilities(score_draws(posterior, KLEIMAN, weights=weights)).sel(rank=1).values
    np.testing.assert_allclose(plane.p_first[50, 7], expected, atol=1e-12)
    np.testing.assert_allclose(plane.p_first.sum(axis=2), 1.0)
    assert plane.p_first.shape == (N_STEPS, N_STEPS, 3)


def test_with_no_weight_left_for_what_anybody_did_all_are_first_alike(plane):
    np.testing.assert_allclose(plane.p_first[0, 0], 1 / 3)


def test_the_categories_that_are_drawn_by_default_speak_for_the_leader_and_against_it():
    assert hinging_pair(tiny_posterior(), KLEIMAN) == (POLICE, EXTORTION)


def test_the_plane_names_its_regions_and_the_caption_says_where_the_border_is(plane):
    decision = decision_with([3900, 60, 40])
    assert {"Group 0", "Group 0,\nbelow 0.9", "Group 1"} <= set(texts(weight_plane_figure(plane, decision)))
    said = captions.weight_plane_caption(plane, decision)
    assert said.startswith("Group 0 is the likeliest first over")
    row = int(np.isclose(plane.y, plane.published[1]).argmax())
    border = plane.x[np.flatnonzero(plane.leader[row] == 1)[-1]]
    assert f"With the weight of killing:police at {border:.2g} Group 1 would be" in said


@pytest.mark.parametrize(
    ("pair", "rule"), [(("killing:martian", EXTORTION), "no category"), ((POLICE, POLICE), "one category twice")]
)
def test_a_plane_of_categories_that_do_not_exist_or_are_one_is_refused(pair, rule):
    with pytest.raises(InputError, match=rule):
        build_weight_plane(tiny_posterior(), KLEIMAN, pair)


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "calibration"
    open_folder(folder, Settings())
    for seed in range(30):
        task = Task("world", "plain", seed)
        write_record(folder, task, made_up(task))
    return folder


def test_reliability_is_drawn_from_the_refits_of_a_calibration(calibration):
    drawn = plot_reliability(calibration)
    assert isinstance(drawn, Plot)
    assert isinstance(drawn.figure, Figure)
    assert set(drawn.table["world"]) == {"plain"}
    assert "groups of statements" in drawn.caption


def test_the_caption_of_reliability_lists_where_it_failed():
    row = {"world": "framed", "method": "model", "stated_from": 0.9, "stated_to": 1.0, "stated": 0.97}
    table = pd.DataFrame(
        [row | {"observed": 0.5, "low": 0.3, "high": 0.7}, row | {"observed": 0.97, "low": 0.9, "high": 1.0}]
    )
    assert "Outside: framed 0.9 to 1 (stated 0.97, came true 0.50)." in captions.reliability_caption(table)


def test_a_folder_without_refits_has_no_reliability_to_draw(tmp_path):
    with pytest.raises(InputError, match="no refits of simulated worlds"):
        plot_reliability(tmp_path)


@pytest.mark.parametrize("kind", RUN_PLOTS)
def test_the_command_draws_every_kind_prints_the_caption_and_writes_it_into_the_file(
    kind, run_folder, tmp_path, capsys
):
    path = tmp_path / f"{kind}.svg"
    assert cli.run(["plot", str(run_folder), kind, "--out", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    svg = " ".join(path.read_text(encoding="utf-8").split())
    assert said.split(" Figure: ")[0][:60] in svg
    assert "<dc:title>" in svg


def test_as_json_the_command_prints_the_numbers_that_it_drew(run_folder, tmp_path, capsys):
    out = tmp_path / "plane.png"
    arguments = ["plot", str(run_folder), "weight-plane", "--weights", POLICE, EXTORTION, "--out", str(out), "--json"]
    assert cli.run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["rows"]) == N_STEPS**2
    assert set(found["rows"][0]) == {POLICE, EXTORTION, "first", "p_first"}
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["rankogram", "--out", "figure.gif"], "must end in"),
        (["rankogram", "--weights", POLICE, EXTORTION], "belongs to weight-plane"),
        (["pie-chart"], "rank-heat-map"),
    ],
)
def test_what_cannot_be_drawn_is_a_fault_and_writes_nothing(arguments, rule, run_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["plot", str(run_folder), *arguments]) == 2
    assert rule in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_the_same_run_gives_the_same_bytes(run_folder, tmp_path):
    for name in ("a.svg", "b.svg"):
        assert cli.run(["plot", str(run_folder), "rankogram", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
