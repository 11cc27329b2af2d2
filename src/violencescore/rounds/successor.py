"""The next round's choices: the same methodology with another window, the same organizations without the target."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from pathlib import Path

import pandas as pd

from violencescore.assessment import read_choices
from violencescore.errors import Fault, InputError
from violencescore.methodology import Methodology, Window, methodology_from_bytes
from violencescore.output import write_folder
from violencescore.tables import is_present

_METHODOLOGY = "methodology.toml"
_WINDOW = re.compile(r"^[ \t]*\[[ \t]*window[ \t]*\][^\n]*\n(?:(?![ \t]*\[)[^\n]*(?:\n|\Z))*", re.MULTILINE)


def write_successor(folder: Path, retired: Collection[str], window: Window, out: Path) -> tuple[str, ...]:
    """Write what the next round is to commit to; return the names of the files.

    ``methodology.toml`` keeps every line but its ``[window]``; ``organizations`` has ``rankable = false`` for whoever
    is retired (so that what they do is still modelled, and never ranked), and the panel's weights are copied.

    Raises
    ------
    InputError
        If the folder's choices have faults, a retired organization is not in it, nobody is left to rank, or the window
        does not stand in a table of its own.
    """
    choices = read_choices(folder)
    known = set(choices.organizations["organization_id"])
    faults = [
        Fault("organizations", "is retired and not in the table; keep it, so that what it does is modelled", value=key)
        for key in retired
        if key not in known
    ]
    if set(choices.organizations.loc[choices.organizations["rankable"].astype(bool), "organization_id"]) <= set(
        retired
    ):
        faults.append(Fault("organizations", "would rank nobody: every organization is retired"))
    if faults:
        raise InputError(faults)
    text = (folder / _METHODOLOGY).read_bytes().decode("utf-8-sig")
    files = {_METHODOLOGY: with_window(text, window, choices.methodology).encode("utf-8")}
    for name in ("organizations", "panel_weights"):
        if (found := _table(folder, name)) is not None:
            table = _retire(found, retired) if name == "organizations" else found
            files[f"{name}.csv"] = table.to_csv(index=False, lineterminator="\n").encode("utf-8")
    with write_folder(out) as staging:
        for name, content in files.items():
            (staging / name).write_bytes(content)
        read_choices(staging)
    return tuple(files)


def with_window(text: str, window: Window, methodology: Methodology) -> str:
    """Return the text of a methodology with another window and nothing else changed.

    Parameters
    ----------
    methodology
        What the text says now.

    Raises
    ------
    InputError
        If the window does not stand in a table ``[window]`` of its own.
    """
    days = {key: value for key, value in window.model_dump().items() if value is not None}
    own = "[window]\n" + "".join(f"{key} = {day.isoformat()}\n" for key, day in days.items()) + "\n"
    changed, n = _WINDOW.subn(lambda _: own, text)
    wanted = methodology.model_copy(update={"window": window})
    try:
        found = methodology_from_bytes(changed.encode("utf-8")) if n == 1 else None
    except InputError:
        found = None
    if found != wanted:
        rule = "does not stand in one table [window] of its own: write it so, and nothing else need be changed"
        raise InputError([Fault(_METHODOLOGY, rule, column="window")])
    return changed


def next_window(before: Window, start: date, end: date, announced: date | None, baseline: date | None) -> Window:
    """Return the window of the next round; the baseline begins where it did unless another day is given."""
    days = {"start": start, "end": end, "baseline_start": baseline or before.baseline_start}
    if announced is not None:
        days["announced"] = announced
    try:
        return Window.model_validate(days)
    except ValueError as error:
        rule = "; ".join(str(part["msg"]).removeprefix("Value error, ") for part in error.errors())  # type: ignore[attr-defined]
        raise InputError([Fault("window", rule.rstrip("."))]) from None


def _table(folder: Path, name: str) -> pd.DataFrame | None:
    """Read a table as text, every column kept, those too that the package does not read."""
    if is_present(path := folder / f"{name}.csv"):
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if is_present(path := folder / f"{name}.parquet"):
        return pd.read_parquet(path).astype("str").replace({"None": "", "nan": "", "<NA>": ""})
    return None


def _retire(table: pd.DataFrame, retired: Collection[str]) -> pd.DataFrame:
    flags = table["rankable"] if "rankable" in table else pd.Series("", index=table.index)
    return table.assign(rankable=flags.mask(table["organization_id"].isin(list(retired)), "false"))
