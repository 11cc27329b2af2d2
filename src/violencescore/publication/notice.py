"""The short text of a commitment, to be published before the window: in English and Spanish."""

from __future__ import annotations

from collections.abc import Sequence

from violencescore.publication.commitment import Commitment
from violencescore.report.text import shown_text

_ENGLISH = """{rehearsal}COMMITMENT {number} to the rules of {title}
The methodology {id}, version {version}, the organizations, the weights and the software are fixed for the window
from {start} to {end}.
Fixed on {at} (UTC). Digest (SHA-256) of the commitment:
{sha256}
Signed (Ed25519) by the key {key}
{amended}"""
_SPANISH = """{rehearsal}COMPROMISO {number} con las reglas de {title}
La metodología {id}, versión {version}, las organizaciones, los pesos y los programas quedan fijados para el periodo
del {start} al {end}.
Fijado el {at} (UTC). Resumen criptográfico (SHA-256) del compromiso:
{sha256}
Firmado (Ed25519) con la clave {key}
{amended}"""


def notice(chain: Sequence[Commitment]) -> str:
    """Return what to publish of a commitment: its digest, date and key, and every amendment with its reason."""
    last = chain[-1]
    statement, methodology = last.statement, last.methodology
    values = {
        "number": statement["number"],
        "title": shown_text(methodology["title"] or methodology["id"]),
        "id": methodology["id"],
        "version": methodology["version"],
        "start": methodology["window"]["start"],
        "end": methodology["window"]["end"],
        "at": statement["committed_at"],
        "sha256": last.sha256,
        "key": statement["public_key"],
    }
    parts = []
    for text, amends, rehearsed in (
        (_ENGLISH, "Amends {}: {}\n", "REHEARSAL, which binds nobody.\n"),
        (_SPANISH, "Modifica {}: {}\n", "ENSAYO, que a nadie obliga.\n"),
    ):
        amended = "".join(
            amends.format(link.statement["previous"], shown_text(link.statement["reason"])) for link in chain[1:]
        )
        parts.append(text.format(**values, amended=amended, rehearsal=rehearsed if last.is_rehearsal else ""))
    return "\n".join(parts)
