"""What a stated probability is worth, in every world: the long run behind docs/calibration.md.

    python benchmarks/calibration.py --folder build/worlds --world plain --world famous --assessments 100
    python benchmarks/calibration.py --folder build/ranks --sbc --assessments 200

Runs `violencescore calibrate` into a folder (what is there already is not done again; --assessments 0 runs nothing),
and writes its tables into results/calibration/, its figures into images/, and the table of the page into
calibration.md, in docs/. An assessment of `plain` takes about ten seconds of one core, one of `dyads` a minute, a refit
of --sbc one or two seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from published import DOCS, between_marks, markdown, show

from violencescore.calibration.folder import read_records
from violencescore.calibration.frames import first_of
from violencescore.calibration.methods import ALL_METHODS, DOUBTS, MODEL
from violencescore.output import write_file

PAGE = "calibration.md"
TABLES = ("verdicts", "coverage", "probabilities", "fits")
FIGURES = ("verdicts", "coverage", "reliability")
PAIRS = (("silenced", "listed"), ("hidden", "plain"))
"""Worlds in which the most violent suppresses what is known of it, each with the same world where it does not."""
SBC_FIGURES = ("ranks-names", "ranks-candidates", "ranks-doubts")


def world_table(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """One row a world and method: verdicts at each stated confidence, coverage, calibration and score."""
    verdicts, coverage, stated = (pd.DataFrame(tables[name]) for name in ("verdicts", "coverage", "probabilities"))
    rows = []
    for (world, method), of in verdicts.groupby(["world", "method"], sort=False):
        if method not in ALL_METHODS:
            continue
        row = {"world": world, "method": method, "assessments": f"{int(of['assessments'].iloc[0])}"}
        for at in of.sort_values("confidence").to_dict("records"):
            row[f"{at['confidence']:.2f}: right, wrong, nobody"] = f"{at['right']}, {at['wrong']}, {at['abstained']}"
            if at["confidence"] == 0.9:
                row["wrong of named at 0.90"] = wrong_share(at)
        inside = coverage.query("world == @world and method == @method and estimand == 'realized' and level == 0.9")
        row["coverage of 90 %"] = "".join(
            f"{c.coverage:.1%} ({c.low:.1%} to {min(c.high, 1):.1%})" for c in inside.itertuples()
        )
        for said in stated.query("world == @world and method == @method").to_dict("records"):
            chance = said["calibration_error_if_calibrated"]
            row["calibration error (by chance)"] = f"{said['calibration_error']:.3f} ({chance:.3f})"
            row["log score"] = f"{said['log_score']:.2f} ± {said['log_score_se']:.2f}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def wrong_share(at: Mapping[str, Any]) -> str:
    """Share of wrong selections with its exact interval, marked where it breaks the promise."""
    if not at["right"] + at["wrong"]:
        return "nobody named"
    mark = "" if at["keeps_word"] else " ✗"
    return f"{at['wrong_share']:.1%} ({at['wrong_share_low']:.1%} to {at['wrong_share_high']:.1%}){mark}"


def suppression_table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row a pair of worlds and method: what the most violent gains by suppression, assessment by assessment."""
    by_world: dict[str, dict[int, Mapping[str, Any]]] = {}
    for record in records:
        by_world.setdefault(record["task"]["name"], {})[record["task"]["seed"]] = record
    rows = []
    for world, control in PAIRS:
        seeds = sorted(by_world.get(world, {}).keys() & by_world.get(control, {}).keys())
        for method in (MODEL, DOUBTS):
            found = [[_of_truth(by_world[name][seed], method) for seed in seeds] for name in (world, control)]
            if len(seeds) < 2 or any(p is None for own in found for p in own):
                continue
            p = np.array(found, dtype=float)
            change = p[0] - p[1]
            named = [sum(_names_truth(by_world[name][seed], method) for seed in seeds) for name in (world, control)]
            rows.append(
                {
                    "world": world,
                    "beside": control,
                    "method": method,
                    "assessments": f"{len(seeds)}",
                    "P(first) of the most violent": f"{p[0].mean():.3f}, without {p[1].mean():.3f}",
                    "change": f"{change.mean():+.3f} ± {change.std(ddof=1) / len(seeds) ** 0.5:.3f}",
                    "named rightly at 0.90": f"{named[0]}, without {named[1]}",
                }
            )
    return pd.DataFrame(rows)


def _of_truth(record: Mapping[str, Any], method: str) -> float | None:
    """P(first) of the truly first, of the likeliest of them where they tie; None where it was not fitted."""
    said = record["methods"].get(method)
    return None if said is None else max(said["p_first"].get(key, 0.0) for key in first_of(record["truth"]))


def _names_truth(record: Mapping[str, Any], method: str) -> bool:
    return record["methods"][method]["verdicts"]["0.9"]["selected"] in first_of(record["truth"])


def sbc_table(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """One row a structure: how many quantities were ranked, in how many refits, and which are uneven."""
    rows = []
    for structure, of in pd.DataFrame(tables["ranks"]).groupby("structure", sort=False):
        uneven = of.loc[~of["passes"], "quantity"]
        rows.append(
            {
                "structure": structure,
                "quantities": len(of),
                "refits": f"{of['n'].min()}",
                "outside their own 95 % band": f"{(~of['inside_band']).sum()} ({0.05 * len(of):.1f} by chance)",
                "least chi-square p": f"{of['chi_square_p'].min():.3f}",
                "uneven": ", ".join(uneven) or "none",
            }
        )
    return pd.DataFrame(rows)


def publish_worlds(folder: Path, docs: Path, part: str = "") -> pd.DataFrame:
    """Write tables, figures and the page's table of simulated worlds into docs; ``part`` is `doubts` for those."""
    found = _read_results(folder)
    table = world_table(found["tables"])
    name = f"calibration-{part}" if part else "calibration"
    _copy(folder, docs, found, TABLES, FIGURES, name)
    shown = [f"![{figure.capitalize()} in each world](images/{name}-{figure}.png)" for figure in FIGURES]
    if part and len(pairs := suppression_table(read_records(folder, "world"))):
        shown.append(f"What the most violent gains where it suppresses what is known of it:\n\n{markdown(pairs)}")
    mark = "✗ marks a promise that was broken by more than sampling error."
    _write_page(docs, f"calibration --{part}" if part else name, [f"{_made(found)} {mark}", markdown(table), *shown])
    return table


def publish_sbc(folder: Path, docs: Path) -> pd.DataFrame:
    """Write table, figures and the page's table of simulation-based calibration into docs."""
    found = _read_results(folder)
    table = sbc_table(found["tables"])
    _copy(folder, docs, found, ("ranks",), SBC_FIGURES)
    shown = [f"![Ranks of the truth, {name}](images/calibration-{name}.png)" for name in SBC_FIGURES]
    _write_page(docs, "calibration --sbc", [_made(found), markdown(table), *shown])
    return table


def _read_results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return found


def _made(found: Mapping[str, Any]) -> str:
    seeds = "; ".join(f"{name} {of['first']} to {of['last']}" for name, of in found["seeds"].items())
    return f"Made on {found['made']}; seeds: {seeds}."


def _copy(
    folder: Path,
    docs: Path,
    found: Mapping[str, Any],
    tables: Sequence[str],
    figures: Sequence[str],
    part: str = "calibration",
) -> None:
    results = docs / "results" / part
    for name in tables:
        write_file(results / f"{name}.csv", (folder / "tables" / f"{name}.csv").read_bytes())
    about = {key: found[key] for key in ("made", "seeds", "manifest")}
    name = "about-ranks.json" if "ranks" in tables else "about.json"
    write_file(results / name, (json.dumps(about, indent=2) + "\n").encode())
    for name in figures:
        write_file(docs / "images" / f"{part}-{name}.png", (folder / "figures" / f"{name}.png").read_bytes())


def _write_page(docs: Path, mark: str, parts: Sequence[str]) -> None:
    page = docs / PAGE
    if page.is_file():
        write_file(page, between_marks(page.read_text(encoding="utf-8"), mark, "\n\n".join(parts)).encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="calibration folder, made or continued")
    parser.add_argument("--world", action="append", help="world to run; several; by default all")
    parser.add_argument("--sbc", action="store_true", help="check the computation itself, instead of worlds")
    parser.add_argument("--doubts", action="store_true", help="with all doubts, beside the model and counting names")
    parser.add_argument("--assessments", type=int, default=100, help="of each world; 0: publish what is there")
    parser.add_argument("--out", type=Path, default=DOCS, help="where results/, images/ and the page are")
    given = parser.parse_args(arguments)
    if given.assessments:
        worlds = [word for world in given.world or ["all"] for word in ("--world", world)]
        doubts = ["--method", "all doubts", "--method", "counting names"] if given.doubts else []
        what = ["--sbc"] if given.sbc else [*worlds, *doubts]
        command = ["calibrate", "--out", str(given.folder), "--assessments", str(given.assessments), *what]
        done = subprocess.run([sys.executable, "-m", "violencescore", *command], check=False)
        if done.returncode:
            return done.returncode
    if given.sbc:
        show(publish_sbc(given.folder, given.out), "Simulation-based calibration", ("structure", "uneven"))
    else:
        table = publish_worlds(given.folder, given.out, "doubts" if given.doubts else "")
        show(table, "What stated probabilities are worth", ("world", "method"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
