"""Text as numbers: each distinct text stands once among the *words*, each cell is its place there.

Tables of millions of rows hold few distinct texts, or ids that other tables repeat. Coded, a cell takes four bytes,
rules look at each distinct text once, and rows are compared and grouped as integers. Place 0 is the empty text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Codes = npt.NDArray[np.int32]

EMPTY = 0
"""Code of the empty text."""

_TEXT = pa.large_string()


@dataclass(frozen=True, eq=False)
class Coded:
    """A frame of which some columns are codes.

    Parameters
    ----------
    frame
        Any frame.
    words
        The words of those columns that are codes.
    """

    frame: pd.DataFrame
    words: Mapping[str, pd.Series]

    def __len__(self) -> int:
        return len(self.frame)

    def text(self, column: str) -> pd.Series:
        """Return the text of a column."""
        if column not in self.words:
            return self.frame[column]
        return decode(self.frame[column], self.words[column], self.frame.index)

    def decoded(self) -> pd.DataFrame:
        """Return the frame with text in place of all codes."""
        return self.frame.assign(**{column: self.text(column) for column in self.words if column in self.frame})

    def rows(self, mask: pd.Series | npt.NDArray[np.bool_]) -> Coded:
        """Return the rows where ``mask`` holds, numbered anew."""
        frame = self.frame if mask.all() else self.frame[mask]
        return replace(self, frame=frame.reset_index(drop=True))


def encode(*columns: pd.Series | pa.ChunkedArray, known: pd.Series | None = None) -> tuple[list[Codes], pd.Series]:
    """Return the codes of each column, and the words that all of them share.

    Parameters
    ----------
    *columns
        Text without missing cells.
    known
        Words whose codes are to stay; new ones follow in the order of appearance.

    Examples
    --------
    >>> codes, words = encode(pd.Series(["b", "", "a"]), pd.Series(["a", "c"]))
    >>> [c.tolist() for c in codes], words.tolist()
    ([[1, 0, 2], [2, 3]], ['', 'b', 'a', 'c'])
    """
    parts = [_chunks(pd.Series([""], dtype="str") if known is None else known), *map(_chunks, columns)]
    coded = pa.chunked_array([chunk for part in parts for chunk in part], _TEXT).dictionary_encode()
    places = iter([chunk.indices.to_numpy() for chunk in coded.chunks])
    codes = [_joined([next(places) for _ in part]) for part in parts]
    return codes[1:], pd.Series(coded.chunk(0).dictionary, dtype="str")


def decode(codes: npt.ArrayLike, words: pd.Series, index: pd.Index | None = None) -> pd.Series:
    """Return the text of each code.

    Examples
    --------
    >>> decode([2, 0, 2], pd.Series(["", "a", "b"])).tolist()
    ['b', '', 'b']
    """
    return pd.Series(words.array.take(np.asarray(codes)), index=index, dtype="str")


def are_among(codes: npt.ArrayLike, known: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which codes stand in ``known``."""
    codes, known = np.asarray(codes), np.asarray(known)
    marks = np.zeros(1 + max(codes.max(initial=0), known.max(initial=0)), dtype=np.bool_)
    marks[known] = True
    among: npt.NDArray[np.bool_] = marks[codes]
    return among


def places(cells: pd.Series, labels: Sequence[str]) -> Codes:
    """Return the place of each cell among ``labels``, -1 where it is none of them.

    Examples
    --------
    >>> places(pd.Series(["b", "x", "b"]), ["a", "b"]).tolist()
    [1, -1, 1]
    """
    [codes], words = encode(cells)
    at = pd.Series(range(len(labels)), index=list(labels)).reindex(words, fill_value=-1)
    return np.asarray(at.to_numpy(), dtype=np.int32)[codes]


def _chunks(column: pd.Series | pa.ChunkedArray) -> list[pa.Array]:
    array = pa.array(column, from_pandas=True) if isinstance(column, pd.Series) else column
    chunked = pa.chunked_array([array]) if isinstance(array, pa.Array) else array
    return list(chunked.cast(_TEXT).fill_null("").chunks)


def _joined(codes: list[Codes]) -> Codes:
    return np.concatenate(codes) if codes else np.empty(0, dtype=np.int32)
