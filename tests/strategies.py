"""Small valid assessments for tests, and ways to damage them.

``write_assessment(folder, ...)`` writes the smallest assessment that uses every table; each table can be
replaced by its CSV text (or raw bytes), or left out with None. ``TABLES`` and ``METHODOLOGY`` hold the texts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

METHODOLOGY = """\
extends = "kleiman-2011"
id = "test-panel"
version = "1.0.0"

[window]
announced = 2026-06-20
start = 2026-07-01
end = 2026-08-26
baseline_start = 2026-01-01

[channels.dyad]
forgeable = false
candidates = true
accuracy = [40, 1]
"""

TABLES: dict[str, str] = {
    "organizations": (
        "organization_id,name,aliases,parent_id,active_from,active_to,rankable\n"
        "007,Seven,Los Siete;The Seven,,,,\n"
        "NA,North Alliance,Norteños,,2001-05-01,,true\n"
        "crew,Harbour Crew,,NA,,,false\n"
    ),
    "incidents": (
        "incident_id,date,region\n"
        "i1,2026-07-01,north\n"
        "i2,2026-08-26,south\n"
        "i3,2026-03-05,north\n"
        "i4,2026-07-15,NA\n"
    ),
    "harms": (
        "incident_id,element,victim_role,best,low,high\n"
        "i1,killing,police,2,1,3\n"
        "i2,extortion,,4,,\n"
        "i3,killing,citizen,1,1,1\n"
        "i4,kidnapping,citizen,3,2,4\n"
        "i4,killing,citizen,1,1,2\n"
    ),
    "evidence": (
        "incident_id,channel,organization_id,origin,source_id\n"
        "i1,claim,Los Siete,banner-1,paper\n"
        "i1,claim,007,banner-1,radio\n"
        "i2,press,norteños,,paper\n"
        "i3,dyad,007,event-3,\n"
        "i3,dyad,NA,event-3,\n"
        "i4,witness,other,,\n"
    ),
    "adjudications": (
        "incident_id,organization_id,false_flag,framed_id,inclusion_probability\n"
        "i1,North Alliance,true,Seven,0.5\n"
        "i2,other,,,\n"
    ),
    "reports": "incident_id,source_id\ni1,paper\ni1,radio\ni2,paper\n",
    "revenue": (
        "organization_id,source_id,best,low,high,year,kind,unit\n"
        "007,study,10.5,5,20,2025,revenue,MUSD\n"
        "NA,study,30,20,50,2025,,MUSD\n"
    ),
    "panel_weights": (
        "panelist_id,element,victim_role,weight\n"
        "anna,killing,police,3\n"
        "anna,extortion,,0.5\n"
        "ben,killing,police,1.5\n"
    ),
}  # fmt: skip


def write_assessment(
    folder: Path,
    *,
    methodology: str | bytes | None = METHODOLOGY,
    **tables: str | bytes | None,
) -> Path:
    """Write a small valid assessment and return its folder.

    Parameters
    ----------
    folder
        Made if need be.
    methodology
        Content of ``methodology.toml``; None leaves it out.
    **tables
        Content of ``<name>.csv`` in place of that in `TABLES`; None leaves the table out.

    Examples
    --------
    ``write_assessment(tmp_path, evidence=None, harms=TABLES["harms"].replace("2,1,3", "2,5,3"))``
    """
    unknown = set(tables) - set(TABLES)
    assert not unknown, f"no such table: {unknown}"
    folder.mkdir(parents=True, exist_ok=True)
    files = {"methodology.toml": methodology} | {f"{name}.csv": tables.get(name, text) for name, text in TABLES.items()}
    for file, content in files.items():
        if content is not None:
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


Damage = Callable[[bytes], bytes]

STRANGE = (
    "", " ", "-1", "1.5", "1e400", "nan", "inf", "NA", "null", "other", "OTHER", "2026-13-02", "2026-02-30",
    "0000-00-00", "99999999999999999999", "\u0661", "\x1b[31m", "\u202eevil", "</script>", '"', '""', ",",
    ";", "\r", "\n", "\0", "007", "i1", "true", "0", "x" * 100_001, "=1+1", "\ufeff", "é", "e\u0301",
    "1_000", "0x10", "+3", "3.0",
)  # fmt: skip


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Draw one way to damage the bytes of a file: from a flipped byte to a second header."""
    kind = draw(st.sampled_from(sorted(_DAMAGES)))
    return _DAMAGES[kind](draw)


def _flip(draw: st.DrawFn) -> Damage:
    at, value = draw(st.integers(0, 10_000)), draw(st.integers(0, 255))
    return lambda data: data[: at % len(data)] + bytes([value]) + data[at % len(data) + 1 :] if data else data


def _truncate(draw: st.DrawFn) -> Damage:
    at = draw(st.integers(0, 10_000))
    return lambda data: data[: at % (len(data) + 1)]


def _insert(draw: st.DrawFn) -> Damage:
    at, new = draw(st.integers(0, 10_000)), draw(st.binary(max_size=8))
    return lambda data: data[: at % (len(data) + 1)] + new + data[at % (len(data) + 1) :]


def _replace_cell(draw: st.DrawFn) -> Damage:
    row, column = draw(st.integers(0, 10)), draw(st.integers(0, 10))
    new = draw(st.sampled_from(STRANGE) | st.text(max_size=10))

    def damage(data: bytes) -> bytes:
        rows = _cells(data)
        cells = rows[row % len(rows)]
        cells[column % len(cells)] = new.encode("utf-8", "surrogatepass")
        return _join(rows)

    return damage


def _swap_cells(draw: st.DrawFn) -> Damage:
    a, b, c, d = (draw(st.integers(0, 10)) for _ in range(4))

    def damage(data: bytes) -> bytes:
        rows = _cells(data)
        one, two = rows[a % len(rows)], rows[c % len(rows)]
        i, j = b % len(one), d % len(two)
        one[i], two[j] = two[j], one[i]
        return _join(rows)

    return damage


def _delete_column(draw: st.DrawFn) -> Damage:
    column = draw(st.integers(0, 10))
    return lambda data: _join(
        [[cell for i, cell in enumerate(cells) if i != column % len(cells)] for cells in _cells(data)]
    )


def _repeat_line(draw: st.DrawFn) -> Damage:
    source, target = draw(st.integers(0, 10)), draw(st.integers(0, 10))

    def damage(data: bytes) -> bytes:
        lines = data.split(b"\n")
        lines.insert(target % (len(lines) + 1), lines[source % len(lines)])
        return b"\n".join(lines)

    return damage


def _recode(draw: st.DrawFn) -> Damage:
    encoding = draw(st.sampled_from(("utf-16", "utf-32", "latin-1", "utf-8-sig")))
    return lambda data: data.decode("utf-8", "replace").encode(encoding, "replace")


def _huge_cell(draw: st.DrawFn) -> Damage:
    size, quoted = draw(st.sampled_from((100_001, 131_073, 20_000_000))), draw(st.booleans())

    def damage(data: bytes) -> bytes:
        cell = b"x" * size
        return data.rstrip(b"\n") + (b'"' + cell + b'"' if quoted else cell) + b"\n"

    return damage


def _cells(data: bytes) -> list[list[bytes]]:
    return [line.split(b",") for line in data.split(b"\n")]


def _join(rows: list[list[bytes]]) -> bytes:
    return b"\n".join(b",".join(cells) for cells in rows)


_DAMAGES: dict[str, Callable[[st.DrawFn], Damage]] = {
    "flip": _flip,
    "truncate": _truncate,
    "insert": _insert,
    "replace cell": _replace_cell,
    "swap cells": _swap_cells,
    "delete column": _delete_column,
    "repeat line": _repeat_line,
    "recode": _recode,
    "huge cell": _huge_cell,
}
