"""From the records of a folder to its tables, figures and ``results.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from violencescore.calibration import figures, frames, tables
from violencescore.calibration.folder import MANIFEST, read_records
from violencescore.jsontext import json_text
from violencescore.output import write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

type Record = Mapping[str, Any]

RESULTS = "results.json"


def tabulate(worlds: Sequence[Record], prior: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """Return every table by name; those for which there is no record are left out."""
    found: dict[str, pd.DataFrame] = {}
    if worlds:
        worlds = sorted(worlds, key=_place)
        verdicts, first = frames.verdict_frame(worlds), frames.first_frame(worlds)
        intervals = frames.interval_frame(worlds)
        found["verdicts"] = tables.operating_characteristics(verdicts, ["world"])
        for group in ("incidents", "share attributed", "adjudicated"):
            by = ["world", group]
            ordered = verdicts.sort_values(group, key=lambda s: s.map(_lower_end), kind="stable")
            found[f"verdicts by {group}"] = tables.operating_characteristics(ordered, by).sort_values(
                "world", key=lambda s: s.map({w: i for i, w in enumerate(verdicts["world"].unique())}), kind="stable"
            )
        looks = tables.weekly(frames.look_frame(worlds), ["world"])
        if len(looks):
            found["weekly looks"] = looks
        if len(first):
            found["coverage"] = tables.coverage(intervals, ["world"])
            found["probabilities"] = tables.probability_scores(first, ["world"])
            found["reliability"] = tables.reliability(first, ["world"])
        found["fits"] = tables.fits(frames.fit_frame(worlds), ["world"])
    if prior:
        from violencescore.calibration.sbc import uniformity

        found["ranks"] = uniformity(prior)
    return found


def _place(record: Record) -> tuple[int, int]:
    from violencescore.simulation import WORLDS

    names = list(WORLDS)
    task = record["task"]
    return (names.index(task["name"]) if task["name"] in names else len(names), task["seed"])


def _lower_end(step: str) -> float:
    word = step.removeprefix("under ").split()[0].replace(",", "")
    number = float(word.rstrip("%")) / (100 if word.endswith("%") else 1)
    return -1.0 if step.startswith("under") else number


def draw(found: Mapping[str, pd.DataFrame], prior: Sequence[Record]) -> dict[str, Figure]:
    """Return every figure by name."""
    drawn = {}
    if "verdicts" in found:
        drawn["verdicts"] = figures.operating_figure(found["verdicts"])
    if "reliability" in found:
        drawn["reliability"] = figures.reliability_figure(found["reliability"])
        drawn["coverage"] = figures.coverage_figure(found["coverage"])
    if "ranks" in found:
        from violencescore.calibration.sbc import band_figure_data

        for structure, part in found["ranks"].groupby("structure"):
            passes = dict(zip(part["quantity"], part["passes"], strict=True))
            drawn[f"ranks-{structure}"] = figures.band_figure(band_figure_data(prior, str(structure)), passes)
    return drawn


def write_results(folder: Path) -> dict[str, pd.DataFrame]:
    """Write tables (CSV), figures (PNG and SVG) and ``results.json`` of all that a folder holds; return the tables."""
    worlds, prior = read_records(folder, "world"), read_records(folder, "prior")
    found = tabulate(worlds, prior)
    save_results(folder, found, draw(found, prior), results_json(folder, found, [*worlds, *prior]))
    return found


def save_results(
    folder: Path, found: Mapping[str, pd.DataFrame], drawn: Mapping[str, Figure], content: Mapping[str, Any]
) -> None:
    """Write tables, figures and ``results.json`` into a folder of refits, each file whole."""
    for name, table in found.items():
        text = table.round(5).to_csv(index=False)
        write_file(folder / "tables" / f"{_file_name(name)}.csv", text.encode())
    for name, figure in drawn.items():
        for form in ("png", "svg"):
            write_file(folder / "figures" / f"{name}.{form}", _saved(figure, form))
    write_file(folder / RESULTS, json_text(content).encode())


def results_json(folder: Path, found: Mapping[str, pd.DataFrame], records: Sequence[Record]) -> dict[str, Any]:
    """Return the content of ``results.json``: when and by what it was made, from which seeds, and every table."""
    seeds: dict[str, list[int]] = {}
    for record in records:
        task = record["task"]
        seeds.setdefault(f"{task['kind']} {task['name']}", []).append(task["seed"])
    shown = {name: {"first": min(found), "last": max(found), "refits": len(found)} for name, found in seeds.items()}
    return {**made_by(folder), "seeds": shown, "tables": table_rows(found)}


def made_by(folder: Path) -> dict[str, Any]:
    """Return when results are written, and by what the refits of a folder were made."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return {"made": datetime.now(UTC).strftime("%Y-%m-%d"), "manifest": manifest}


def table_rows(found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the rows of every table as plain values."""
    return {name: json.loads(table.to_json(orient="records", double_precision=6)) for name, table in found.items()}


def _file_name(name: str) -> str:
    return name.replace(" ", "-")


def _saved(figure: Figure, form: str) -> bytes:
    import matplotlib

    stream = BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type")) if form == "svg" else None
    with matplotlib.rc_context({"svg.hashsalt": "violencescore"}):
        figure.savefig(stream, format=form, dpi=150, metadata=nothing)
    return stream.getvalue()
