"""The Frictionless descriptor of an imported assessment: what each table holds, and whose data it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_DOWNLOADS = "https://ucdp.uu.se/downloads/"
CITATION = (
    "Uppsala Conflict Data Program, UCDP Georeferenced Event Dataset (GED) Global, version {version}. "
    "Sundberg, Ralph, and Erik Melander (2013) Introducing the UCDP Georeferenced Event Dataset. Journal of "
    "Peace Research 50(4): 523-532. Cite with it the article on organized violence that UCDP names for the "
    "version used."
)
_FIELDS = {
    "organizations.csv": {"organization_id": "string", "name": "string", "rankable": "boolean"},
    "incidents.csv": {
        "incident_id": "string",
        "date_start": "date",
        "date_end": "date",
        "region": "string",
    },
    "harms.csv": {
        "incident_id": "string",
        "element": "string",
        "victim_role": "string",
        "best": "integer",
        "low": "integer",
        "high": "integer",
    },
    "evidence.csv": {
        "incident_id": "string",
        "channel": "string",
        "organization_id": "string",
        "origin": "string",
        "source_id": "string",
    },
}
_KEYS = {
    "organizations.csv": ["organization_id"],
    "incidents.csv": ["incident_id"],
    "harms.csv": ["incident_id", "element", "victim_role"],
    "evidence.csv": ["incident_id", "channel", "organization_id"],
}
_REFERS = {"incident_id": "incidents", "organization_id": "organizations"}


def build_datapackage(tables: Mapping[str, str], source: str, sha256: str, version: str) -> str:
    """Return ``datapackage.json``.

    Parameters
    ----------
    tables
        CSV text by file name.
    source, sha256
        Name and digest of the GED file.
    version
        Of GED, or ``not stated``.
    """
    package = {
        "$schema": _PROFILE,
        "name": "ucdp-ged-assessment",
        "title": "Assessment made from the UCDP Georeferenced Event Dataset",
        "description": "Changed from the original: events were selected, sides split, deaths set out by who may "
        "have killed. UCDP has not reviewed this.",
        "licenses": [
            {
                "name": "CC-BY-4.0",
                "title": "Creative Commons Attribution 4.0 International",
                "path": "https://creativecommons.org/licenses/by/4.0/",
            }
        ],
        "sources": [
            {
                "title": "Uppsala Conflict Data Program (UCDP), Georeferenced Event Dataset (GED)",
                "path": _DOWNLOADS,
                "version": version,
                "file": source,
                "hash": f"sha256:{sha256}",
            }
        ],
        "citation": CITATION.format(version=version),
        "resources": [_resource(name, text) for name, text in tables.items()],
    }
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def _resource(path: str, text: str) -> dict[str, object]:
    name = path.removesuffix(".csv")
    content = text.encode("utf-8")
    return {
        "name": name,
        "path": path,
        "type": "table",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "schema": {
            "fields": [{"name": field, "type": kind} for field, kind in _FIELDS[path].items()],
            "primaryKey": _KEYS[path],
            "foreignKeys": [
                {"fields": [field], "reference": {"resource": table, "fields": [field]}}
                for field, table in _REFERS.items()
                if field in _FIELDS[path] and table != name
            ],
        },
    }
