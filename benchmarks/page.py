"""How long does the page's script work when a slider moves, and how large is the page?

    python benchmarks/page.py --moves 200

A page of 12 organizations, 14 categories and 2,000 draws (4 chains of 500), made by hand, is opened from disk in
headless Chromium. In turn each slider moves; measured is the script alone, to its last listener: scores, ranks, errors,
pairs, intervals, verdict, and every table and chart of the page. Laying out and painting come after it. Counted is the
processor time of scripts, as the browser reports it, since other programs on the machine do not move it; time by the
clock stands beside it, and is more where they do. One frame at 60 a second is 16 ms. The first moves, in which the
browser still compiles, are measured too, and shown apart.

Writes results/page.csv, images/page.png and the table of benchmarks.md in docs/.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from published import BLUE, DOCS, SKY, as_png, new_figure, publish, show, spread
from textbook.figure import INK, MUTED, style

from violencescore.methodology import Category, Methodology, shipped_methodology
from violencescore.report.page import render_page
from violencescore.report.page_data import PageContext
from violencescore.verdict import decide_posterior

FRAME_MS = 16.0
FIRST = 20
"""Moves in which the browser still compiles."""

MOVE = """
(number) => {
  const sliders = document.querySelectorAll(".slider input[type=range]"), slider = sliders[number % sliders.length];
  slider.value = Number(slider.max) * (0.1 + 0.8 * ((number * 0.618) % 1));
  const begin = performance.now();
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  return performance.now() - begin;
}
"""


def parse(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=200, help="moves of a slider (default 200)")
    parser.add_argument("--organizations", type=int, default=12)
    parser.add_argument("--categories", type=int, default=14)
    parser.add_argument("--draws", type=int, default=500, help="of each of 4 chains (default 500)")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder in which results/ and images/ are written")
    return parser.parse_args(given)


def build_page(n: int, n_categories: int, n_draws: int) -> str:
    """Return a page whose draws follow one another as a sampler's do."""
    methodology = _methodology(n_categories)
    rng = np.random.default_rng(20111222)
    drift = rng.normal(0.0, 0.3, (4, n_draws, n))
    for step in range(1, n_draws):
        drift[:, step] += 0.5 * drift[:, step - 1]
    means = np.exp(drift)[..., None] * rng.gamma(2.0, 5.0, (n, n_categories))
    coords = {"organization": [f"g{k}" for k in range(n)], "category": list(methodology.category_labels)}
    harm = xr.DataArray(rng.poisson(means), dims=("chain", "draw", "organization", "category"), coords=coords)
    posterior = xr.DataTree.from_dict({"harms": xr.Dataset({"harm_realized": harm})})
    diagnostics = {"converged": True}
    decision = decide_posterior(posterior, methodology, diagnostics)
    context = PageContext("Benchmark", methodology=methodology, posterior=posterior, diagnostics=diagnostics)
    return render_page(decision, context)


def _methodology(n_categories: int) -> Methodology:
    parts = tuple(Category(element=f"harm {i}", weight=0.1 + 0.3 * i) for i in range(n_categories))
    return shipped_methodology("kleiman-2011").model_copy(update={"category": parts})


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """One row for each move: milliseconds of script, and to the next frame."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("Chromium is missing: run scripts/setup-browser")
    html = build_page(arguments.organizations, arguments.categories, arguments.draws)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        path.write_text(html, encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--headless", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_timeout(2000)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        found = []
        for number in range(arguments.moves):
            before = script_seconds(session)
            wall = page.evaluate(MOVE, number)
            found.append((1000 * (script_seconds(session) - before), wall))
        version = browser.version
        browser.close()
    rows = pd.DataFrame(found, columns=["script_ms", "wall_ms"])
    rows.insert(0, "move", np.arange(1, len(rows) + 1))
    size = {"organizations": arguments.organizations, "categories": arguments.categories, "draws": 4 * arguments.draws}
    about = {"date": datetime.now(UTC).date().isoformat(), "chromium": version, **size, "bytes": len(html.encode())}
    for place, (name, value) in enumerate(about.items()):
        rows.insert(place, name, value)
    return rows


def script_seconds(session: Any) -> float:
    """Return the processor time that scripts of the page have taken so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "ScriptDuration"))


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """The table that is printed and shown on the page: median, and lowest to highest."""
    shown = []
    for label, part in ((f"first {FIRST}", rows[rows["move"] <= FIRST]), ("then", rows[rows["move"] > FIRST])):
        if len(part):
            within = f"{(part['script_ms'] < FRAME_MS).sum()} of {len(part)}"
            shown.append(
                {
                    "moves": label,
                    "script, ms of processor": spread(part["script_ms"], ".1f"),
                    f"under {FRAME_MS:.0f} ms": within,
                }
                | {"by the clock, ms": spread(part["wall_ms"], ".1f")}
                | {"page, MB": f"{part['bytes'].iloc[0] / 1e6:.2f}"}
            )
    return pd.DataFrame(shown)


def draw(rows: pd.DataFrame) -> bytes:
    """Return the figure: milliseconds of script of each move, in their order."""
    figure = new_figure(8.0, 2.8)
    axes = figure.subplots()
    axes.plot(rows["move"], rows["wall_ms"], ".", color=SKY, label="by the clock")
    axes.plot(rows["move"], rows["script_ms"], ".", color=BLUE, label="processor")
    axes.axhline(FRAME_MS, color=INK, linewidth=1, linestyle="--")
    axes.annotate("one frame", (1, FRAME_MS), (0, 3), textcoords="offset points", color=INK, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("move of a slider", color=MUTED)
    axes.set_ylabel("ms", color=MUTED)
    style(axes)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return as_png(figure)


def main(given: list[str] | None = None) -> None:
    arguments = parse(given)
    rows = measure(arguments)
    table = summarize(rows)
    show(table, "A slider moves: median (lowest to highest)", ("moves",))
    publish(arguments.out, "page", rows, draw(rows), table, "Milliseconds of script for each move of a slider")


if __name__ == "__main__":
    main()
