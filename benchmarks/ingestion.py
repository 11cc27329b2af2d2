"""How fast are files read, and how much memory does it take?

    python benchmarks/ingestion.py --rows 1000000 10000000 --repeats 3

Simulates an assessment with that many rows of evidence (0.35 incidents a row) as CSV and as Parquet in a temporary
folder. Then, by turns and each in a process of its own, so that peak memory is its own: `read_assessment` and
`build_design`, which validate everything; and what one would write instead, pandas readers, a merge of the evidence
with its incidents and a count of the rows of each group, which validate nothing. Prints a table and writes it to
docs/results/ingestion.csv. Columns: evidence_rows, incidents, harm_rows (of the files); format; reader; then medians of
read_seconds, group_seconds (build_design; merges and counts), seconds (both), cpu_seconds (of the whole process, both
cores and the start of Python counted) and peak_mb; seconds_min, seconds_max, peak_mb_max, repeats;
rows_per_second (evidence rows by read_seconds); seconds, cpu_seconds and peak_mb as multiples of those of pandas.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from violencescore.assessment import read_assessment
from violencescore.design import build_design
from violencescore.methodology import shipped_methodology

RESULTS = Path(__file__).parent.parent / "docs" / "results" / "ingestion.csv"
READERS = ("violencescore", "pandas")
FORMATS = ("csv", "parquet")
METHODOLOGY = """\
extends = "kleiman-2011"
id = "benchmark"
version = "1.0.0"

[window]
start = 2026-07-01
end = 2026-08-25
baseline_start = 2026-01-01
"""
ORGANIZATIONS = [f"organization-{i}" for i in range(8)]
REGIONS = [f"R{i:02d}" for i in range(32)]
ELEMENTS = ["extortion", "kidnapping", "terror", "intimidation"]
SOURCES = [f"S{i}" for i in range(12)]


def numbered(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0"), "")


def pick(words: list[str], places: np.ndarray) -> pa.Array:
    return pa.array(words).take(pa.array(places))


def simulate_tables(n_rows: int, seed: int) -> dict[str, pa.Table]:
    """Draw an assessment: evidence names the perpetrator three times in four, and a tenth of it is copied."""
    rng = np.random.default_rng(seed)
    n = max(n_rows * 35 // 100, 1)
    ids = numbered("I", np.arange(n), 7)
    days = pa.array(np.datetime64("2026-01-01") + rng.integers(0, 237, n).astype("timedelta64[D]"))
    incidents = {"incident_id": ids, "date": days, "region": pick(REGIONS, rng.integers(0, len(REGIONS), n))}

    harmed = np.sort(np.concatenate([np.arange(n), rng.integers(0, n, n // 10)]))
    rank = np.arange(len(harmed)) - np.searchsorted(harmed, harmed)
    element = (rng.integers(0, len(ELEMENTS), n)[harmed] + rank) % len(ELEMENTS)  # an incident's elements differ
    kept = rank < len(ELEMENTS)
    best = rng.geometric(0.6, len(harmed))
    harms = {
        "incident_id": ids.take(pa.array(harmed[kept])),
        "element": pick(ELEMENTS, element[kept]),
        "best": best[kept],
        "low": best[kept] - (best[kept] > 1),
        "high": best[kept] + 1,
    }

    about = np.sort(rng.integers(0, n, n_rows))
    culprit = rng.integers(0, len(ORGANIZATIONS), n)
    named = np.where(rng.random(n_rows) < 0.75, culprit[about], rng.integers(0, len(ORGANIZATIONS), n_rows))
    channels = [name for name, channel in shipped_methodology().channels.items() if not channel.candidates]
    row = np.arange(n_rows)
    is_copy = (rng.random(n_rows) < 0.1) & (np.append(-1, about[:-1]) == about)
    said = row - is_copy  # a copy says what the row before it says
    channel, origin = rng.integers(0, len(channels), n_rows)[said], (row - np.searchsorted(about, about))[said]
    evidence = {
        "incident_id": ids.take(pa.array(about)),
        "channel": pick(channels, channel),
        "organization_id": pick(ORGANIZATIONS, named[said]),
        "origin": numbered("origin-", origin, 1),
        "source_id": pick(SOURCES, rng.integers(0, len(SOURCES), n_rows)),
    }
    settled = np.flatnonzero(rng.random(n) < 0.05)
    adjudications = {
        "incident_id": ids.take(pa.array(settled)),
        "organization_id": pick(ORGANIZATIONS, culprit[settled]),
    }
    organizations = {"organization_id": ORGANIZATIONS, "name": [o.title() for o in ORGANIZATIONS]}
    tables = {"organizations": organizations, "incidents": incidents, "harms": harms, "evidence": evidence}
    return {name: pa.table(columns) for name, columns in (tables | {"adjudications": adjudications}).items()}


def write_folders(folder: Path, n_rows: int, seed: int) -> tuple[int, int]:
    """Write the assessment in each format; return how many incidents and harms it has."""
    tables = simulate_tables(n_rows, seed)
    for kind in FORMATS:
        (folder / kind).mkdir()
        (folder / kind / "methodology.toml").write_text(METHODOLOGY)
    for name, table in tables.items():
        csv.write_csv(table, folder / "csv" / f"{name}.csv", csv.WriteOptions(quoting_style="none"))
        parquet.write_table(table, folder / "parquet" / f"{name}.parquet")
    return len(tables["incidents"]), len(tables["harms"])


def read_with_violencescore(folder: Path) -> tuple[float, float, int]:
    start = time.perf_counter()
    assessment = read_assessment(folder)
    read = time.perf_counter()
    design = build_design(assessment)
    return read - start, time.perf_counter() - read, len(design.groups.n)


def read_with_pandas(folder: Path) -> tuple[float, float, int]:
    start = time.perf_counter()
    if folder.name == "csv":
        incidents = pd.read_csv(folder / "incidents.csv", parse_dates=["date"])
        harms, evidence = (pd.read_csv(folder / f"{name}.csv") for name in ("harms", "evidence"))
    else:
        incidents, harms, evidence = (
            pd.read_parquet(folder / f"{t}.parquet") for t in ("incidents", "harms", "evidence")
        )
    read = time.perf_counter()
    incidents["period"] = np.where(pd.to_datetime(incidents["date"]) >= "2026-07-01", "window", "baseline")
    named = evidence.merge(incidents, on="incident_id")
    cells = named.groupby(["region", "period", "channel", "organization_id"]).size()
    harms.merge(incidents, on="incident_id").groupby(["region", "period", "element"])["best"].sum()
    return read - start, time.perf_counter() - read, len(cells)


def measure(reader: str, folder: Path) -> dict[str, float]:
    """Run one reader in this process; return its seconds, groups and peak memory (MB)."""
    read, group, n_groups = (read_with_violencescore if reader == "violencescore" else read_with_pandas)(folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    seconds = {"read_seconds": read, "group_seconds": group, "seconds": read + group}
    return seconds | {"cpu_seconds": used.ru_utime + used.ru_stime, "groups": n_groups, "peak_mb": peak}


def measure_apart(reader: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", reader, str(folder)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
    return dict(json.loads(out))


def summarize(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a size, format and reader: medians over the repeats, with the least and greatest of what varies."""
    found = runs.groupby(["evidence_rows", "incidents", "harm_rows", "format", "reader"], sort=False)
    table = found[["read_seconds", "group_seconds", "seconds", "cpu_seconds", "peak_mb"]].median()
    table["seconds_min"], table["seconds_max"] = found["seconds"].min(), found["seconds"].max()
    table["peak_mb_max"], table["repeats"] = found["peak_mb"].max(), found.size()
    table = table.reset_index()
    table["rows_per_second"] = (table["evidence_rows"] / table["read_seconds"]).round()
    pandas = table[table["reader"] == "pandas"].set_index(["evidence_rows", "format"])
    size = pd.MultiIndex.from_frame(table[["evidence_rows", "format"]])
    for column in ("seconds", "cpu_seconds", "peak_mb"):
        table[f"{column}_to_pandas"] = table[column] / pandas[column].reindex(size).to_numpy()
    return table


def run_all(n_rows: int, repeats: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield every measurement, by turns."""
    with tempfile.TemporaryDirectory() as name:
        n_incidents, n_harms = write_folders(Path(name), n_rows, seed)
        size = {"evidence_rows": n_rows, "incidents": n_incidents, "harm_rows": n_harms}
        for repeat in range(repeats):
            for kind, reader in itertools.product(FORMATS, READERS):
                run = measure_apart(reader, Path(name) / kind)
                said = f"{run['seconds']:.1f} s ({run['cpu_seconds']:.1f} s of processor), {run['peak_mb']:,.0f} MB"
                print(f"{n_rows:,} rows, {repeat + 1}: {kind} {reader} {said}", file=sys.stderr, flush=True)
                yield size | {"format": kind, "reader": reader} | run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000], help="rows of evidence")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--measure", nargs=2, metavar=("READER", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure[0], Path(arguments.measure[1]))))
        return
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    runs: list[dict[str, object]] = []
    for n_rows in arguments.rows:
        for run in run_all(n_rows, arguments.repeats, arguments.seed):
            runs.append(run)
            if {r["reader"] for r in runs} == set(READERS):
                summarize(pd.DataFrame(runs)).round(3).to_csv(arguments.out, index=False)
    print(summarize(pd.DataFrame(runs)).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
