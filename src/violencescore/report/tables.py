"""Tables for the terminal, by rich. Untrusted text enters as `Text`, never as markup."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from violencescore.montecarlo import Probability, format_probability
from violencescore.panel import panel_sentences
from violencescore.report.sentences import (
    OUTCOME_LABELS,
    score_name,
    shown_name,
    verdict_sentence,
)
from violencescore.report.text import (
    cell_format,
    error_text,
    interval_text,
    joined,
    number_format,
    ordinal,
    rank_text,
    shown_text,
)

if TYPE_CHECKING:
    import pandas as pd

    from violencescore.decision import Decision
    from violencescore.errors import Fault

OUTCOME_STYLES = {"selected": "blue", "no_selection": "cyan", "extend": "yellow", "not_estimable": "red"}
OUTCOME_MARKS = {"selected": "●", "no_selection": "○", "extend": "◐", "not_estimable": "✕"}

_ALL_RANKS_UP_TO = 6
_FEW_RANKS = 3
_NAME_LIMIT = 60
_NAME_WIDTH = 30
_MIN_NAME_WIDTH = 12
_KEPT_NAME_WIDTH = 18
"""A rank column gives way before the names become narrower than this."""
_GAP = 2
_RANKED_BY = {
    "realized": "what the organization in fact did in the window",
    "rate": "what the organization tends to do",
}

type NaiveRow = tuple[str, int, Probability, float | None]
"""Name, how often the evidence names it, its probability of being first, its true score if known."""


def ranking_table(decision: Decision, width: int = 80) -> Table:
    """Build the probability-of-rank table, highest P(first) first.

    All ranks are shown for up to six organizations, the first three and the expected rank for more; fewer
    where `width` leaves no room.

    Parameters
    ----------
    decision
        The decision; every figure is read from it.
    width
        Columns of the terminal.
    """
    names = [shown_name(decision, str(identity), _NAME_LIMIT) for identity in decision.ranking["organization_id"]]
    name_width = min(_KEPT_NAME_WIDTH, max(map(cell_len, names), default=0))
    columns = _fitting_columns(decision.ranking, width - max(name_width, _MIN_NAME_WIDTH))
    fit = "" if decision.outcome != "not_estimable" else ", for inspection only: no verdict can rest on it"
    table = plain_table(f"Probability of each rank{fit}", _ranking_caption(decision))
    table.add_column("organization", min_width=_MIN_NAME_WIDTH, max_width=_NAME_WIDTH, overflow="fold")
    for heading in columns:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for row, identity in enumerate(decision.ranking["organization_id"]):
        cells = [Text(cells[row], style="dim" if cells[row].startswith("<") else "") for cells in columns.values()]
        table.add_row(Text(names[row]), *cells, style="bold" if identity == decision.selected else "")
    return table


def verdict_panel(decision: Decision) -> Panel:
    """Build the verdict in words with its reasons, framed in the colour of the outcome."""
    style = OUTCOME_STYLES[decision.outcome]
    reasons = Table.grid(padding=(0, 1))
    for reason in decision.reasons:
        reasons.add_row(Text("•", style=style), Text(shown_text(reason)))
    body = [Text(verdict_sentence(decision), style="bold")]
    return Panel(
        Group(*body, Text(), reasons) if decision.reasons else Group(*body),
        title=Text(f" {OUTCOME_MARKS[decision.outcome]} {OUTCOME_LABELS[decision.outcome]} ", style=f"bold {style}"),
        title_align="left",
        border_style=style,
        padding=(1, 2),
    )


def panel_view(decision: Decision, panel: pd.DataFrame) -> Group:
    """Build the panel one by one: who is first by each panelist's own weights, and in words what that means.

    Parameters
    ----------
    panel
        As by `violencescore.panel.panel_table`.
    """
    table = plain_table("By each panelist's own weights", "")
    table.add_column("panelist", min_width=_MIN_NAME_WIDTH, max_width=_NAME_WIDTH, overflow="fold")
    table.add_column("likeliest first", max_width=_NAME_WIDTH, overflow="fold")
    table.add_column("P(1st)", justify="right", no_wrap=True)
    left_out = bool(panel["leader_without"].notna().any())
    if left_out:
        table.add_column("without this panelist", max_width=_NAME_WIDTH, overflow="fold")
    for row in panel.to_dict("records"):
        name = shown_name(decision, row["leader"], _NAME_LIMIT)
        cells = [Text(name, style="" if row["same_as_verdict"] else "bold yellow")]
        cells.append(Text(format_probability(row["p_first"], row["mcse"])))
        if left_out:
            other = row["leader_without"]
            style = "" if other == decision.leader else "bold yellow"
            cells.append(Text(shown_name(decision, other, _NAME_LIMIT), style=style))
        table.add_row(Text(shown_text(row["panelist_id"], _NAME_LIMIT)), *cells)
    said = panel_sentences(panel, str(decision.leader), decision.names)
    return Group(table, Text(), *(Text(shown_text(sentence)) for sentence in said))


def wide(table: Table) -> Group:
    """Set title and caption of a narrow table across the screen."""
    title, caption = table.title or "", table.caption or ""
    table.title = table.caption = None
    return Group(title, table, caption)


def confidence_sets_table(decision: Decision, sets: pd.DataFrame) -> Group:
    """Build the ranks that hold 90 % of the probability beside frequentist 90 % confidence sets for the rank.

    Parameters
    ----------
    sets
        As by `violencescore.confidence_sets.confidence_set_table`.
    """
    caption = (
        "Ours: ranks that hold 90 % of the probability. Confidence sets, without a prior on the order (Mogstad and "
        "others 2024): each holds the true rank in 90 % of repetitions, if scores are estimated with normal errors as "
        "wide as the draws; together: all of them at once."
    )
    table = plain_table("Ranks beside confidence sets without a prior", caption)
    table.add_column("organization", min_width=_MIN_NAME_WIDTH, max_width=_NAME_WIDTH, overflow="fold")
    for heading in ("ours", "confidence set", "together"):
        table.add_column(heading, justify="right", no_wrap=True)
    found = sets.set_index("organization_id")
    for line in decision.ranking.to_dict("records"):
        row = found.loc[line["organization_id"]]
        ends = [(line["rank_low"], line["rank_high"]), (row["low"], row["high"]), (row["low_all"], row["high_all"])]
        cells = [Text(interval_text(rank_text(float(low)), rank_text(float(high)))) for low, high in ends]
        table.add_row(Text(shown_name(decision, str(line["organization_id"]), _NAME_LIMIT)), *cells)
    return wide(table)


def naive_comparison_table(rows: Sequence[NaiveRow]) -> Table:
    """Build the comparison of counting names with the model, beside the truth where that is known.

    The highest of each column is marked; the caption says whom each would pick.
    """
    truth_known = any(row[3] is not None for row in rows)
    columns = [[float(row[1]) for row in rows], [row[2].p for row in rows]]
    columns += [[math.nan if row[3] is None else row[3] for row in rows]] if truth_known else []
    shown = [[f"{row[1]:,}" for row in rows], [str(row[2]) for row in rows]]
    shown += [[*map(number_format(column), column)] for column in columns[2:]]
    tops = [max((value for value in column if math.isfinite(value)), default=math.nan) for column in columns]
    headings = ["times named", "P(1st)", "true score"][: len(columns)]
    table = plain_table("Counting names against the model", _naive_caption(rows, columns, tops))
    table.add_column("organization", min_width=_MIN_NAME_WIDTH, overflow="fold")
    for heading in headings:
        table.add_column(f"{heading}  ", justify="right", no_wrap=True)
    for row, name in enumerate(row[0] for row in rows):
        cells = [
            Text(f"{words[row]} ◀", style="bold") if column[row] == top else Text(f"{words[row]}  ")
            for column, words, top in zip(columns, shown, tops, strict=True)
        ]
        table.add_row(Text(shown_text(name, _NAME_LIMIT)), *cells)
    return table


def faults_table(faults: Iterable[Fault]) -> Table:
    """Build the list of all faults, in the order given, with their number as the title."""
    lines = [str(fault) for fault in faults]
    title = f"{len(lines):,} fault{'' if len(lines) == 1 else 's'}"
    table = Table(title=Text(title, style="bold red"), title_justify="left", box=None, show_header=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("fault", overflow="fold")
    for number, line in enumerate(lines, start=1):
        table.add_row(f"{number}.", Text(shown_text(line)))
    return table


def plain_table(title: str, caption: str) -> Table:
    """Build an empty table in our style."""
    return Table(
        title=Text(title, style="bold"),
        title_justify="left",
        caption=Text(f"\n{caption}" if caption else "", style="italic"),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, _GAP - 1, 0, 0),
        pad_edge=False,
    )


def _fitting_columns(ranking: pd.DataFrame, width: int) -> dict[str, list[str]]:
    """Return heading -> cells, with as many ranks after the first as fit."""
    n = len(ranking)
    errors = ranking["p_first_mcse"].tolist()
    cell = cell_format(min(errors, default=0.0))
    front = {
        "1st": [format_probability(p, e) for p, e in zip(ranking["p_first"], errors, strict=True)],
        "error": [f"±{error_text(e)}" for e in errors],
    }
    after = {ordinal(j): [cell(p) for p in ranking[f"p_rank_{j}"]] for j in range(2, n + 1)}
    back = {"mean\nrank": [f"{rank:.1f}" for rank in ranking["expected_rank"]]} if n > _ALL_RANKS_UP_TO else {}
    back |= {"rank\n90 %": _interval_cells(ranking, "rank", rank_text), **_score_columns(ranking)}
    ranks = list(after)[: n if n <= _ALL_RANKS_UP_TO else _FEW_RANKS - 1]
    while ranks and _width(front | back) + _width({key: after[key] for key in ranks}) > width:
        ranks.pop()
    return front | {key: after[key] for key in ranks} | back


def _width(columns: Mapping[str, list[str]]) -> int:
    return sum(_GAP + max(map(len, [*heading.split("\n"), *cells])) for heading, cells in columns.items())


def _score_columns(ranking: pd.DataFrame) -> dict[str, list[str]]:
    shown = number_format(ranking[["score_low", "score_median", "score_high"]].to_numpy(float).ravel().tolist())
    heading = f"score\n{shown.unit}".rstrip()
    medians = [shown(value) for value in ranking["score_median"]]
    return {heading: medians, "score\n90 %": _interval_cells(ranking, "score", shown)}


def _interval_cells(ranking: pd.DataFrame, quantity: str, shown: Callable[[float], str]) -> list[str]:
    ends = zip(ranking[f"{quantity}_low"], ranking[f"{quantity}_high"], strict=True)
    return [interval_text(shown(float(low)), shown(float(high))) for low, high in ends]


def _ranking_caption(decision: Decision) -> str:
    return (
        "A row: in what share of the worlds consistent with the evidence the organization takes each rank "
        "(1st: most violent); the error is the Monte-Carlo standard error of the first. "
        f"Ranked by the {score_name(decision)}: {_RANKED_BY[decision.estimand]}. {decision.coverage} "
        "Intervals hold 90 %; the score is the median."
    )


def _naive_caption(rows: Sequence[NaiveRow], columns: Sequence[Sequence[float]], tops: Sequence[float]) -> str:
    picks = [
        joined(shown_text(row[0], _NAME_LIMIT) for row, value in zip(rows, column, strict=True) if value == top)
        for column, top in zip(columns, tops, strict=True)
        if math.isfinite(top)
    ]
    parts = [
        f"{who} {pick}" for who, pick in zip(("Counting names picks", "the model", "the truth is"), picks, strict=False)
    ]
    return "; ".join(parts) + "." if parts else ""
