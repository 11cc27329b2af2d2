"""One form of bytes for one JSON value (RFC 8785), and a reader that takes nothing else for granted."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import rfc8785

from violencescore.errors import Fault, InputError

MAX_BYTES = 50_000_000
"""The largest JSON file that is read."""
MAX_DEPTH = 50
"""The deepest nesting that is read: none of ours reaches ten."""


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value (RFC 8785): sorted keys, no white space, one form of each number.

    Raises
    ------
    ValueError
        For what JSON cannot hold: a number that is not finite, a whole number beyond 2**53, text that is no UTF-8.

    Examples
    --------
    >>> canonical({"b": 1.0, "a": [True, None, 1e21]})
    b'{"a":[true,null,1e+21],"b":1}'
    """
    return rfc8785.dumps(value)


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def read_json(content: bytes, file: str) -> Any:
    """Read JSON that strangers wrote.

    Two keys of one name, numbers that are not finite, deep nesting and huge files are refused: readers would not agree
    on what they mean, or would fall over.

    Raises
    ------
    InputError
        With the file and what is wrong with it.
    """
    if len(content) > MAX_BYTES:
        raise InputError([Fault(file, f"is larger than {MAX_BYTES:,} bytes, which no such file needs")])
    if _depth(content) > MAX_DEPTH:
        raise InputError([Fault(file, f"is nested more than {MAX_DEPTH} levels deep, which no such file needs")])
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_number
        )
        canonical(value)
    except (ValueError, RecursionError) as error:
        raise InputError([Fault(file, f"is not JSON as it should be ({str(error)[:200]})")]) from None
    return value


def read_object(content: bytes, file: str) -> dict[str, Any]:
    """Read JSON that must be an object; see `read_json`."""
    value = read_json(content, file)
    if not isinstance(value, dict):
        raise InputError([Fault(file, "must hold a JSON object: names and values in braces")])
    return value


def _depth(content: bytes) -> int:
    """Return how deep the nesting goes, brackets inside texts counted too; stops at one more than is allowed."""
    depth = deepest = 0
    for byte in content.translate(None, delete=_NO_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _object(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond what a number can be")
    return value
