"""UCDP GED -> an assessment.

An event of GED says who fought whom and how many died on which side; it seldom says who killed. The import
keeps that difference: a death whose killer follows from the event names that side, every other death names
all who took part as candidates. The rules are those of `violencescore.importers.ged_tables`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from violencescore.errors import Fault, InputError
from violencescore.fingerprint import file_sha256
from violencescore.importers.ged_file import UNSTATED, GedFile, read_ged_file, version_of
from violencescore.importers.ged_package import build_datapackage
from violencescore.importers.ged_tables import Repaired, Tables, build_repaired, build_tables
from violencescore.output import require_free, write_folder

METHODOLOGY = "ucdp-ged-dyads"
_COARSE = 4
"""From this ``date_prec`` on, an event is dated to a month or more."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import read, left out and wrote; deaths are best estimates, in persons.

    Parameters
    ----------
    out
        The assessment folder.
    version
        Of GED, as the file's name states it, or ``not stated``.
    start, end, baseline_start
        First and last day of the window, and the first of the baseline if there is one.
    n_events_read
        Events in the file.
    n_events_selected
        Those of the country and the dates asked for; an event belongs to the day on which it started.
    n_events_coarse, n_deaths_coarse
        Of those, dated to a month or more only; left out unless asked for.
    n_events_deathless
        Of the rest, without deaths even by the high estimate; left out.
    n_events, n_incidents, n_organizations, n_deaths
        Written.
    n_deaths_named
        Deaths for which the evidence names one organization alone.
    messages
        The same and every repair, in sentences.
    """

    out: Path
    version: str
    start: date
    end: date
    baseline_start: date | None
    n_events_read: int
    n_events_selected: int
    n_events_coarse: int
    n_deaths_coarse: int
    n_events_deathless: int
    n_events: int
    n_incidents: int
    n_organizations: int
    n_deaths: int
    n_deaths_named: int
    messages: tuple[str, ...]


@dataclass(frozen=True)
class _Selection:
    selected: pd.DataFrame
    coarse: pd.DataFrame
    kept: pd.DataFrame
    repaired: Repaired
    n_deathless: int


def import_ged(
    file: str | Path,
    out: str | Path,
    *,
    start: date | None = None,
    end: date | None = None,
    country: str | None = None,
    include_coarse_dates: bool = False,
    baseline_start: date | None = None,
) -> ImportSummary:
    """Turn a UCDP GED file (CSV, any version from 19.1) into an assessment folder.

    Parameters
    ----------
    file
        The CSV file as UCDP publishes it.
    out
        The folder to make; absent or empty. It appears whole or not at all.
    start, end
        First and last day of the window; without them the first and last day of the data.
    country
        Exact name, in any case; without it all countries.
    include_coarse_dates
        Take events that are dated to a month or more only (``date_prec`` 4 and 5), which are sums of many.
    baseline_start
        Also take the events from here to the day before ``start``, which inform the model only.

    Raises
    ------
    InputError
        With every missing column or every fault of the rows looked at, for a country that is not in the file,
        when no event is left, or when ``out`` is taken. Nothing is written then.
    """
    source, folder = Path(file), Path(out)
    require_free(folder)
    _require_window(start, end, baseline_start)
    ged = read_ged_file(source, country)
    selection = _select(ged.events, baseline_start or start, end, include_coarse_dates)
    if selection.kept.empty:
        rule = f"none of {len(ged.events):,} events is left for the dates asked for"
        raise InputError([Fault(source.name, rule)])
    tables = build_tables(selection.kept)
    if not (tables.organizations["rankable"] == "true").any():
        rule = f"none of {len(selection.kept):,} events names an organization that can be ranked"
        raise InputError([Fault(source.name, rule)])
    first = start or selection.kept["date_start"].min().date()
    last = end or selection.kept["date_end"].max().date()
    version = version_of(source)
    title = f"UCDP GED, {_places(selection.kept)}, {first} to {last}"
    csv = {
        "organizations.csv": _csv(tables.organizations),
        "incidents.csv": _csv(tables.incidents),
        "harms.csv": _csv(tables.harms),
        "evidence.csv": _csv(tables.evidence),
    }
    files = {
        "methodology.toml": _methodology(title, first, last, baseline_start),
        **csv,
        "datapackage.json": build_datapackage(csv, source.name, file_sha256(source), version),
    }
    with write_folder(folder) as staging:
        for name, text in files.items():
            (staging / name).write_text(text, encoding="utf-8", newline="")
    return ImportSummary(
        out=folder,
        version=version,
        start=first,
        end=last,
        baseline_start=baseline_start,
        n_events_read=ged.n_rows,
        n_events_selected=len(selection.selected),
        n_events_coarse=len(selection.coarse),
        n_deaths_coarse=int(selection.coarse["best"].sum()),
        n_events_deathless=selection.n_deathless,
        n_events=len(selection.kept),
        n_incidents=len(tables.incidents),
        n_organizations=len(tables.organizations),
        n_deaths=int(tables.harms["best"].sum()),
        n_deaths_named=tables.n_named_deaths,
        messages=_messages(ged, selection, tables, version, include_coarse_dates, last),
    )


# Choosing ----------------------------------------------------------------------------------------------------


def _require_window(start: date | None, end: date | None, baseline_start: date | None) -> None:
    faults = []
    if start and end and end < start:
        faults.append(Fault("window", f"the last day lies before the first, {start}", None, "end", str(end)))
    if baseline_start and not start:
        rule = "a baseline needs the first day of the window"
        faults.append(Fault("window", rule, None, "baseline_start", str(baseline_start)))
    if baseline_start and start and baseline_start >= start:
        rule = f"the baseline starts before the window, which starts {start}"
        faults.append(Fault("window", rule, None, "baseline_start", str(baseline_start)))
    if faults:
        raise InputError(faults)


def _select(events: pd.DataFrame, first: date | None, last: date | None, with_coarse: bool) -> _Selection:
    days = events["date_start"]
    wanted = pd.Series(True, index=events.index)
    if first is not None:
        wanted &= days >= pd.Timestamp(first)
    if last is not None:
        wanted &= days <= pd.Timestamp(last)
    selected = events[wanted]
    is_coarse = selected["date_prec"] >= _COARSE
    repaired = build_repaired(selected if with_coarse else selected[~is_coarse])
    deadly = repaired.events["high"] > 0
    kept = repaired.events[deadly].reset_index(drop=True)
    return _Selection(selected, selected[is_coarse], kept, repaired, int((~deadly).sum()))


# Writing -----------------------------------------------------------------------------------------------------


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d")


def _methodology(title: str, start: date, end: date, baseline_start: date | None) -> str:
    lines = [
        f'extends = "{METHODOLOGY}"',
        # A JSON string without control characters is a TOML string.
        f"title = {json.dumps(title, ensure_ascii=False)}",
        "",
        "[window]",
        f"announced = {start}",
        f"start = {start}",
        f"end = {end}",
    ]
    if baseline_start is not None:
        lines.append(f"baseline_start = {baseline_start}")
    return "\n".join(lines) + "\n"


def _places(events: pd.DataFrame) -> str:
    countries = sorted(set(events["country"]) - {""})
    if len(countries) == 1:
        return str(countries[0])
    return f"{len(countries)} countries" if countries else "country not stated"


# Saying ------------------------------------------------------------------------------------------------------


def _messages(
    ged: GedFile, selection: _Selection, tables: Tables, version: str, with_coarse: bool, last: date
) -> tuple[str, ...]:
    said = [f"Of {_count(ged.n_rows, 'event')} in the file, {len(selection.selected):,} were asked for."]
    said += _left_out_messages(selection, with_coarse)
    said += _written_messages(selection.kept, tables)
    said += _repair_messages(selection.repaired, ged.n_cleaned)
    said += _name_messages(tables)
    n_late = int((selection.kept["date_end"] > pd.Timestamp(last)).sum())
    if n_late:
        said.append(f"{_count(n_late, 'event')} started inside the dates asked for and ended later; they count.")
    if version == UNSTATED:
        said.append("The file's name does not state the version of GED; state it when you cite the data.")
    return tuple(said)


def _left_out_messages(selection: _Selection, with_coarse: bool) -> list[str]:
    coarse = selection.coarse
    fate = "were taken as asked; each may be a sum of many" if with_coarse else "were left out"
    n_deaths = int(coarse["best"].sum())
    how_many = f"{_count(len(coarse), 'event')} with {_count(n_deaths, 'death')}"
    texts = {
        f"{how_many}, dated to a month or more only (date_prec 4 and 5), {fate}.": len(coarse),
        f"{_count(selection.n_deathless, 'event')} without deaths, even by the high estimate, were left out.": (
            selection.n_deathless
        ),
    }
    return _those_that_happened(texts)


def _written_messages(kept: pd.DataFrame, tables: Tables) -> list[str]:
    n_deaths = int(tables.harms["best"].sum())
    n_zero = int((kept["best"] == 0).sum())
    unsaid = 1 - tables.n_named_deaths / max(n_deaths, 1)
    became = f"{_count(len(tables.incidents), 'incident')} of {_count(len(tables.organizations), 'organization')}"
    texts = {
        f"{_count(len(kept), 'event')} with {_count(n_deaths, 'death')} gave {became}.": 1,
        f"{_count(tables.n_split, 'event')} became more than one incident each, since their dead have different "
        "possible killers (-a: side a killed, -b: side b, -ab: one of both).": tables.n_split,
        f"{unsaid:.1%} of the deaths do not say which organization killed: everyone who took part is a "
        "candidate.": n_deaths,
        f"{_count(tables.n_withheld, 'incident')} have no evidence, since an actor without a name may have done "
        "it.": tables.n_withheld,
        f"{_count(n_zero, 'event')} with a best estimate of no deaths were kept with a range from 0.": n_zero,
    }
    return _those_that_happened(texts)


def _repair_messages(repaired: Repaired, n_cleaned: int) -> list[str]:
    texts = {
        f"{_count(repaired.n_unbroken, 'event')} give a total and no deaths by side; it was read as deaths of "
        "unknown people.": repaired.n_unbroken,
        f"{_count(repaired.n_unequal, 'event')} have a best estimate that is not the sum of the deaths by side; "
        "the sum was taken.": repaired.n_unequal,
        f"{_count(repaired.n_unordered, 'event')} have a best estimate outside low to high; the range was "
        "widened to it.": repaired.n_unordered,
        f"In {_count(n_cleaned, 'value')} line breaks, runs of blanks or accents written apart were put "
        "right.": n_cleaned,
    }
    return _those_that_happened(texts)


def _name_messages(tables: Tables) -> list[str]:
    apart, alike = "; ".join(tables.twins), "; ".join(tables.respelled)
    texts = {
        f"Names that differ in punctuation or accents only were kept apart: {apart}.": len(tables.twins),
        f"Spellings that differ from another in case only were taken for it: {alike}.": len(tables.respelled),
    }
    return _those_that_happened(texts)


def _those_that_happened(texts: Mapping[str, int]) -> list[str]:
    return [text for text, number in texts.items() if number]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
