"""The page: one self-contained HTML file that needs no network, and computes what-ifs from the draws inside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from violencescore.errors import Fault, InputError
from violencescore.report.page_data import FORMAT, PageContext, build_page_data
from violencescore.report.sentences import verdict_sentence
from violencescore.report.text import shown_text

if TYPE_CHECKING:
    from jinja2 import Template

    from violencescore.decision import Decision

_SCRIPTS = (
    "numbers.js", "words.js", "compute.js", "dom.js", "charts.js", "weights.js", "sections.js", "robust.js",
    "evidence.js", "trust.js", "form.js", "app.js",
)  # fmt: skip
"""Our scripts in their order: one program, which sees nothing of the page outside."""

_ISLAND = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.DOTALL)


def render_page(decision: Decision, context: PageContext) -> str:
    """Return the page of a decision as HTML text; the same input gives the same text.

    Whatever comes from the input stands in one block of JSON, with control and direction marks written out and HTML
    escaped by the template engine; the page's program sets it as text, never as markup. The policy of the page allows
    the scripts and the style of this package by their digests, and nothing else.
    """
    parts = _parts()
    return _template().render(
        data=build_page_data(decision, context),
        title=shown_text(context.title),
        verdict=verdict_sentence(decision),
        digests={name: _digest(text) for name, text in parts.items()},
        **parts,
    )


def page_parts(html: str) -> tuple[str, Any]:
    """Return a page without its data, and its data: numbers in it may differ in their last digits between machines.

    Raises
    ------
    InputError
        If it is no page of ours.
    """
    found = _ISLAND.findall(html)
    try:
        data = json.loads(found[0][1]) if len(found) == 1 else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError([Fault("page.html", "is not a page that this program writes")])
    return _ISLAND.sub(r"\1\3", html), data


@cache
def _parts() -> dict[str, str]:
    """Return what is set into every page: the library, our program, the style."""
    texts = json.loads(_asset("texts.json"))
    program = "\n".join(_asset(name) for name in _SCRIPTS)
    constants = f"const TEXTS = {json.dumps(texts, ensure_ascii=True).replace('<', chr(92) + 'u003c')};"
    return {
        "library": _asset("vendor/d3.min.js"),
        "program": f'(() => {{\n"use strict";\n{constants}\n{program}\n}})();',
        "style": _asset("page.css"),
    }


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("page.html.j2"))
