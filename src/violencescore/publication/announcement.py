"""The announcement: typed claims as plain text and as a page, in English and Spanish."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from violencescore.publication.claims import Claim, sentence
from violencescore.publication.phrases import HEADINGS, LANGUAGES, SENTENCES, TITLES, WORDS
from violencescore.report.text import shown_text

_STYLE = (
    "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1f2933}"
    "h1{font-size:1.5rem;line-height:1.3}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
    "p{margin:.4rem 0;overflow-wrap:anywhere}"
    ".verdict p{font-size:1.2rem}"
)
_PAGE = """<!DOCTYPE html>
<html lang="{language}" dir="ltr">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}</body>
</html>
"""


def announcement_files(title: str, claims: Sequence[Claim]) -> dict[str, bytes]:
    """Return the announcement by file name: text and page in each language."""
    found = {}
    for language in LANGUAGES:
        found[f"announcement.{language}.txt"] = announcement_text(title, claims, language).encode("utf-8")
        found[f"announcement.{language}.html"] = announcement_page(title, claims, language).encode("utf-8")
    return found


def announcement_text(title: str, claims: Sequence[Claim], language: str) -> str:
    """Return the announcement as text: a sentence a line under the heading of its part."""
    lines = [TITLES[language].format(shown_text(title))]
    for part, heading in HEADINGS.items():
        lines += ["", heading[language], *(sentence(claim, language) for claim in claims if claim.part == part)]
    return "\n".join(lines) + "\n"


def announcement_page(title: str, claims: Sequence[Claim], language: str) -> str:
    """Return the announcement as a page that needs no network and runs no script."""
    parts = []
    for part, heading in HEADINGS.items():
        said = "".join(f"<p>{_marked(claim, language)}</p>\n" for claim in claims if claim.part == part)
        parts.append(f'<section class="{part}">\n<h2>{heading[language]}</h2>\n{said}</section>\n')
    shown = escape(TITLES[language].format(shown_text(title)))
    return _PAGE.format(language=language, title=shown, style=_STYLE, body="".join(parts))


def _marked(claim: Claim, language: str) -> str:
    """Return a sentence as HTML: what comes from outside is escaped, and names keep their direction to themselves."""
    shown = {slot: escape(text) for slot, text in claim.shown.items()}
    shown |= {slot: f"<bdi>{shown[slot]}</bdi>" for slot in claim.names}
    words = {slot: escape(WORDS[key][language]).format_map(shown) for slot, key in claim.words.items()}
    return escape(SENTENCES[claim.kind][language], quote=False).format_map({**shown, **words})
