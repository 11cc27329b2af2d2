"""The panel one by one, on a hand-made posterior: who would be first by each panelist's own weights."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from violencescore.methodology import Methodology, shipped_methodology
from violencescore.panel import panel_sentences, panel_table
from violencescore.runs import load_run

CATEGORIES = ["killing:police", "extortion"]
NAMES = {"a": "Alpha", "b": "Beta"}


def methodology(use: str) -> Methodology:
    base = shipped_methodology("kleiman-2011")
    return base.model_copy(update={"weights": base.weights.model_copy(update={"use": use})})


def posterior(panel: dict[str, list[float]] | None) -> xr.DataTree:
    """In every draw a killed 10 and extorted 0, b killed 4 and extorted 30: the weights say who is first."""
    harm = np.broadcast_to(np.array([[10, 0], [4, 30]]), (2, 50, 2, 2)).copy()
    dims = ("chain", "draw", "organization", "category")
    coords = {"organization": ["a", "b"], "category": CATEGORIES, "name": ("organization", ["Alpha", "Beta"])}
    groups = {"harms": xr.Dataset({"harm_realized": (dims, harm), "harm_rate": (dims, harm)}, coords=coords)}
    if panel is not None:
        weights = xr.DataArray(
            np.array(list(panel.values())),
            dims=("panelist", "category"),
            coords={"panelist": list(panel), "category": CATEGORIES},
        )
        groups["weights"] = xr.Dataset({"panel_weight": weights})
    return xr.DataTree.from_dict(groups)


def test_without_a_panel_there_is_no_table() -> None:
    assert panel_table(posterior(None), methodology("published")) is None


def test_each_panelist_is_ranked_by_that_panelist_s_weights() -> None:
    table = panel_table(posterior({"P1": [1, 0], "P2": [0, 5]}), methodology("published"))
    assert table is not None
    assert table["leader"].tolist() == ["a", "b"]
    assert table["p_first"].tolist() == [1.0, 1.0]
    assert (table["mcse"] > 0).all()
    assert table["p_first_of_a"].tolist() == [1.0, 0.0]
    assert table["p_first_of_b"].tolist() == [0.0, 1.0]


def test_the_verdict_a_panelist_is_compared_with_is_that_of_the_weights_that_count() -> None:
    # Published: 2.5 for police and 0.3 for extortion give a 25 and b 19. The panel's mean is 1/3 and 2/3: b.
    panel = {"P1": [1, 0], "P2": [0, 5], "P3": [0, 1]}
    published = panel_table(posterior(panel), methodology("published"))
    pooled = panel_table(posterior(panel), methodology("panel"))
    assert published is not None
    assert pooled is not None
    assert published["same_as_verdict"].tolist() == [True, False, False]
    assert pooled["same_as_verdict"].tolist() == [False, True, True]


def test_where_the_published_weights_count_nobody_can_be_left_out_of_the_pool() -> None:
    table = panel_table(posterior({"P1": [1, 0], "P2": [0, 5]}), methodology("published"))
    assert table is not None
    assert table["leader_without"].isna().all()


def test_leaving_out_the_one_who_decides_changes_the_leader_and_is_said() -> None:
    # Pooled: P1 [1, 0], P2 [0.9, 0.1], P3 [0, 1] give [0.63, 0.37]: a 6.3, b 13.5. Without P3 [0.95, 0.05]: a.
    table = panel_table(posterior({"P1": [1, 0], "P2": [9, 1], "P3": [0, 1]}), methodology("panel"))
    assert table is not None
    assert table["leader_without"].tolist() == ["b", "b", "a"]
    said = panel_sentences(table, "b", NAMES)
    assert any(
        s.startswith("Without panelist P3, Alpha would be") and s.endswith("one panelist decides.") for s in said
    )
    assert any(s.startswith("By the weights of panelist P1 alone, Alpha is") for s in said)
    assert not any("Without panelist P1" in sentence or "panelist P3 alone" in sentence for sentence in said)


def test_a_panel_of_one_mind_is_said_in_one_sentence() -> None:
    table = panel_table(posterior({"P1": [1, 0], "P2": [9, 1]}), methodology("panel"))
    assert table is not None
    (said,) = panel_sentences(table, "a", NAMES)
    assert said == (
        "Each of the 2 panelists' weights alone put Alpha first, as the weights that count do, and leaving any one of "
        "them out changes nothing."
    )


def test_a_panel_of_one_has_nobody_to_leave_out() -> None:
    table = panel_table(posterior({"P1": [1, 0]}), methodology("panel"))
    assert table is not None
    assert table["leader_without"].isna().all()
    assert panel_sentences(table, "a", NAMES)[0].startswith("The one panelist's weights put Alpha first")


def test_scaling_a_panelist_s_weights_changes_nothing() -> None:
    tables = [panel_table(posterior({"P1": [s, 3 * s], "P2": [1, 1]}), methodology("panel")) for s in (1.0, 1000.0)]
    pd.testing.assert_frame_equal(*tables)


def test_the_run_folder_holds_the_panel_as_it_is_computed_again(run_folder: Path) -> None:
    again = load_run(run_folder).panel
    assert again is not None
    written = pd.read_csv(run_folder / "panel.csv")
    columns = ["panelist_id", "leader", "p_first", "mcse", "same_as_verdict"]
    assert list(written.columns[:5]) == columns
    assert written["panelist_id"].tolist() == ["P1", "P2", "P3"]
    pd.testing.assert_frame_equal(written[columns], again[columns], check_dtype=False)
    firsts = [column for column in written if column.startswith("p_first_of_")]
    np.testing.assert_allclose(written[firsts].sum(axis=1), 1.0)
    leader = json.loads((run_folder / "decision.json").read_text())["leader"]
    assert (written["same_as_verdict"] == (written["leader"] == leader)).all()


@pytest.mark.parametrize("pool", ["linear", "logarithmic", "median"])
def test_every_rule_of_pooling_can_leave_one_out(pool: str) -> None:
    chosen = methodology("panel")
    chosen = chosen.model_copy(update={"weights": chosen.weights.model_copy(update={"pool": pool})})
    table = panel_table(posterior({"P1": [1, 1], "P2": [9, 1], "P3": [2, 1]}), chosen)
    assert table is not None
    assert table["leader_without"].notna().all()
