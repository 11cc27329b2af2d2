"""The command ``reporting``: how much the lists of incidents miss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import AsJson, Draws, Seed, app
from violencescore.errors import Fault, InputError
from violencescore.progress import checked, interruptible, show_progress
from violencescore.report import terminal

if TYPE_CHECKING:
    from violencescore.listings import Histories
    from violencescore.methodology import Methodology

RATIOS = (0.5, 2.0)
"""Odds ratios between all pairs of sources under which the share is shown as well."""


@app.command("reporting", rich_help_panel="To whoever doubts a verdict")
def reporting_command(
    where: Annotated[
        Path,
        typer.Argument(
            metavar="DIR-OR-FILE.csv",
            show_default=False,
            help="Assessment folder; or capture histories: a column of 0 and 1 for each list, and `count`.",
        ),
    ],
    dependent: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Two lists of which one follows the other; may be repeated."),
    ] = None,
    seed: Seed = None,
    draws: Draws = None,
    as_json: AsJson = False,
) -> None:
    """Estimate from which lists name which incidents how many no list names.

    Two lists that were made apart and share many incidents have seen most; two that share few have missed much. The
    share is shown for each region and period, and as it would be if every two lists were dependent, which no data can
    rule out.

    Example: `violencescore reporting my-assessment`
    """
    methodology, histories = _read(where)
    options = methodology.reporting
    if dependent:
        pairs = tuple(_pair(text, histories.sources) for text in dependent)
        options = options.model_copy(update={"dependent": pairs})
    given = {key: value for key, value in (("seed", seed), ("draws", draws)) if value is not None}
    sampling = methodology.sampling.model_copy(update={**given, "max_extensions": 0})
    from violencescore.listings import MAX_DEPENDENT
    from violencescore.reporting import count_cases, sample_shares

    ratios = RATIOS if len(histories.sources) <= MAX_DEPENDENT else ()
    with interruptible() as check, show_progress(terminal.errors()) as show:
        progress = checked(check, show)
        found = sample_shares(histories, options, sampling, progress)
        others = []
        for ratio in ratios:
            changed = options.model_copy(update={"odds_ratio": options.odds_ratio * ratio})
            others.append((ratio, sample_shares(histories, changed, sampling, progress)))
        check()
    from violencescore.report.reporting import cases_text, share_rows, share_table, shares_json

    rows = share_rows(found["listed"])
    ranges = [(ratio, share_rows(other["listed"])) for ratio, other in others]
    counted = [(1.0, found), *others] if where.is_file() else []
    cases = {ratio: count_cases(data, sampling.seed) for ratio, data in counted}
    if as_json:
        answer: dict[str, Any] = {"incidents": found.attrs["listed"], "max_rhat": found.attrs["max_rhat"]}
        answer |= {"sources": list(histories.sources), **shares_json(rows, ranges)}
        if cases:
            answer["cases"] = {f"{r:g}": c.quantile([0.05, 0.5, 0.95]).values.tolist() for r, c in cases.items()}
        terminal.print_json(answer)
        return
    title = f"{found.attrs['listed']:,} incidents on {len(histories.sources)} lists"
    terminal.screen().print(share_table(rows, ranges, title=title))
    for ratio, drawn in cases.items():
        terminal.print_line(cases_text(ratio, drawn))


def _read(where: Path) -> tuple[Methodology, Histories]:
    """Read an assessment, or capture histories with the default methodology."""
    if where.is_file():
        import pandas as pd

        from violencescore.listings import histories_from_table
        from violencescore.methodology import shipped_methodology

        try:
            table = pd.read_csv(where, dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:
            raise InputError([Fault(str(where), f"cannot be read as CSV ({error})")]) from None
        return shipped_methodology(), histories_from_table(table)
    from violencescore.assessment import read_assessment
    from violencescore.design import build_design
    from violencescore.listings import build_histories, why_recorded_only

    assessment = read_assessment(where)
    if why := why_recorded_only(assessment):
        rule = f"{why} Nothing can be estimated from it; see docs/reporting.md"
        raise InputError([Fault("reports", rule.rstrip("."))])
    return assessment.methodology, build_histories(assessment, build_design(assessment))


def _pair(text: str, sources: tuple[str, ...]) -> tuple[str, str]:
    """Read two sources, of which a comma stands between."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or parts[0] == parts[1] or not set(parts) <= set(sources):
        raise typer.BadParameter(f"{text!r} does not name two of the lists {', '.join(sources)}, as in A,B")
    return parts[0], parts[1]
