"""Draws as open tables: of harm, revenue and scores; and the posterior put together from them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from violencescore.errors import Fault, InputError
from violencescore.methodology import Methodology
from violencescore.names import CATEGORY, CHAIN, DRAW, ORGANIZATION, OTHER, PANELIST, UNREPORTED
from violencescore.publication.tabular import csv_bytes, read_number_table

REALIZED, RATE, BASELINE = "draws/harm_realized.csv", "draws/harm_rate.csv", "draws/harm_baseline.csv"
MISSED = "draws/harm_unreported.csv"
REVENUE, SCORES = "draws/{}.csv", "draws/scores.csv"
KINDS = ("revenue", "flow")
_SAMPLE = ["chain", "draw"]


def draw_files(posterior: xr.DataTree, methodology: Methodology) -> dict[str, bytes]:
    """Return the draws behind a verdict as tables by path.

    Harms have a row for each chain, draw and organization (`other` included: everyone who is not listed) and a column
    for each category; harm that no source lists is part of it, and given apart. Revenue has a column for each
    organization. Expected harm is given where it is asked for.
    """
    harms = posterior["harms"].to_dataset()
    found = {REALIZED: _harm_table(harms["harm_realized"], harms["harm_other"])}
    if methodology.score.estimand == "rate" or any(s.estimand == "rate" for s in methodology.scenario):
        found[RATE] = _harm_table(harms["harm_rate"], None)
    if UNREPORTED in harms:
        found[MISSED] = _harm_table(harms[UNREPORTED], harms[f"{UNREPORTED}_other"])
    if "harm_baseline" in harms:
        found[BASELINE] = _harm_table(harms["harm_baseline"], harms["harm_other_baseline"])
    if "revenue" in posterior.children:
        for kind, values in posterior["revenue"].to_dataset().data_vars.items():
            found[REVENUE.format(kind)] = organization_table(values)
    return {path: csv_bytes(table) for path, table in found.items()}


def organization_table(values: xr.DataArray) -> pd.DataFrame:
    """Return draws (chain, draw, organization) as a table: chain, draw, and a column for each organization."""
    array = values.transpose(CHAIN, DRAW, ORGANIZATION)
    ids = [str(label) for label in array[ORGANIZATION].values]
    table = pd.DataFrame(array.values.reshape(-1, len(ids)), columns=ids)
    return _with_sample(table, array.shape[0], array.shape[1])


def _harm_table(harm: xr.DataArray, other: xr.DataArray | None) -> pd.DataFrame:
    array = harm.transpose(CHAIN, DRAW, ORGANIZATION, CATEGORY)
    ids, labels = ([str(label) for label in array[dim].values] for dim in (ORGANIZATION, CATEGORY))
    values = array.values
    if other is not None:
        values = np.concatenate((values, other.transpose(CHAIN, DRAW, CATEGORY).values[:, :, None]), axis=2)
        ids.append(OTHER)
    table = pd.DataFrame(values.reshape(-1, len(labels)), columns=labels)
    table.insert(0, "organization_id", np.tile(ids, values.shape[0] * values.shape[1]))
    return _with_sample(table, values.shape[0], values.shape[1], len(ids))


def _with_sample(table: pd.DataFrame, n_chains: int, n_draws: int, each: int = 1) -> pd.DataFrame:
    chain, draw = np.divmod(np.arange(n_chains * n_draws), n_draws)
    table.insert(0, "draw", np.repeat(draw, each))
    table.insert(0, "chain", np.repeat(chain, each))
    return table


def read_draws(
    files: Mapping[str, bytes],
    methodology: Methodology,
    names: Mapping[str, str],
    panel: xr.DataArray | None,
) -> xr.DataTree:
    """Put the posterior together again, as far as a verdict needs it.

    Parameters
    ----------
    names
        Id -> name of the organizations that are ranked.
    panel
        Weights (panelist, category) of the panel, or the pooled ones as those of a single panelist; None without any.

    Raises
    ------
    InputError
        If a table is missing, or does not hold every organization, category, chain and draw once and in order.
    """
    labels = list(methodology.category_labels)
    window = methodology.window
    if REALIZED not in files or window is None:
        raise InputError([Fault(REALIZED, "is missing: without draws of harm nothing can be recomputed")])
    realized, other, ids = _read_harm(files[REALIZED], REALIZED, labels, other=True)
    if not set(ids) <= names.keys():
        raise InputError([Fault(REALIZED, "holds organizations that the commitment does not rank")])
    dims, rest = (CHAIN, DRAW, ORGANIZATION, CATEGORY), (CHAIN, DRAW, CATEGORY)
    data: dict[str, Any] = {"harm_realized": (dims, realized), "harm_other": (rest, other)}
    if RATE in files:
        rate, _, found = _read_harm(files[RATE], RATE, labels, other=False)
        _require_shape(RATE, rate, realized, found, ids)
        data["harm_rate"] = (dims, rate)
    if MISSED in files:
        missed, other, found = _read_harm(files[MISSED], MISSED, labels, other=True)
        _require_shape(MISSED, missed, realized, found, ids)
        data |= {UNREPORTED: (dims, missed), f"{UNREPORTED}_other": (rest, other)}
    if BASELINE in files:
        before, other, found = _read_harm(files[BASELINE], BASELINE, labels, other=True)
        _require_shape(BASELINE, before, realized, found, ids)
        data |= {"harm_baseline": (dims, before), "harm_other_baseline": (rest, other)}
    coords = {ORGANIZATION: ids, CATEGORY: labels, "name": (ORGANIZATION, [names[i] for i in ids])}
    groups = {"harms": xr.Dataset(data, coords=coords)}
    revenue = {}
    for kind in KINDS:
        if (path := REVENUE.format(kind)) in files:
            values, found = read_organizations(files[path], path)
            _require_shape(path, values, realized[..., 0], found, ids)
            revenue[kind] = ((CHAIN, DRAW, ORGANIZATION), values)
    if revenue:
        groups["revenue"] = xr.Dataset(revenue, coords={ORGANIZATION: ids})
    if panel is not None:
        groups["weights"] = xr.Dataset({"panel_weight": panel})
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["days_window"] = float((window.end - window.start).days + 1)
    if window.baseline_start is not None:
        tree.attrs["days_baseline"] = float((window.start - window.baseline_start).days)
    return tree


def panel_array(weights: Sequence[tuple[str, Mapping[str, float]]], labels: Sequence[str]) -> xr.DataArray:
    """Return weights by panelist as an array (panelist, category)."""
    values = [[float(of.get(label, 0.0)) for label in labels] for _, of in weights]
    coords = {PANELIST: [name for name, _ in weights], CATEGORY: list(labels)}
    return xr.DataArray(values, dims=(PANELIST, CATEGORY), coords=coords)


def read_organizations(content: bytes, file: str) -> tuple[np.ndarray, list[str]]:
    """Read a table of draws by organization; return (chain, draw, organization) and the ids."""
    frame = read_number_table(content, file)
    ids = [name for name in frame.columns if name not in _SAMPLE]
    shape = _sample_shape(frame, file, 1)
    return frame[ids].to_numpy(np.float64).reshape(*shape, len(ids)), ids


def _read_harm(
    content: bytes, file: str, labels: Sequence[str], *, other: bool
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    frame = read_number_table(content, file, ["organization_id"])
    if list(frame.columns) != ["chain", "draw", "organization_id", *labels]:
        raise InputError([Fault(file, "must have a column for each category of the methodology, in its order")])
    ids = list(dict.fromkeys(frame["organization_id"]))
    n_chains, n_draws = _sample_shape(frame, file, len(ids))
    if list(frame["organization_id"]) != ids * (n_chains * n_draws) or (other and ids[-1:] != [OTHER]):
        raise InputError([Fault(file, "must hold each organization once in each draw, `other` last")])
    values = frame[list(labels)].to_numpy(np.float64).reshape(n_chains, n_draws, len(ids), len(labels))
    if values.size and values.min() < 0:
        raise InputError([Fault(file, "holds harm below zero")])
    if not other:
        return values, None, ids
    return values[:, :, :-1], values[:, :, -1], ids[:-1]


def _sample_shape(frame: pd.DataFrame, file: str, each: int) -> tuple[int, int]:
    """Return the numbers of chains and draws of a table that holds each of them in order."""
    if list(frame.columns[:2]) != _SAMPLE or frame.empty:
        raise InputError([Fault(file, "must begin with the columns chain and draw, and hold rows")])
    n_chains, n_draws = (int(frame[name].max()) + 1 for name in _SAMPLE)
    wanted = n_chains * n_draws * each
    rows = np.arange(len(frame)) // each
    in_order = len(frame) == wanted and (frame["chain"] == rows // n_draws).all()
    if not (in_order and (frame["draw"] == rows % n_draws).all()):
        raise InputError([Fault(file, "must hold every chain and draw once, in order, counted from 0")])
    return n_chains, n_draws


def _require_shape(file: str, found: np.ndarray, wanted: np.ndarray, ids: list[str], all_ids: list[str]) -> None:
    if found.shape != wanted.shape or ids != all_ids:
        raise InputError([Fault(file, "must hold the same chains, draws and organizations as the draws of harm")])
