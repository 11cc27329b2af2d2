"""Foreign formats, each turned into an assessment folder."""

from __future__ import annotations

from violencescore.importers.ged import ImportSummary, import_ged

__all__ = ["ImportSummary", "import_ged"]
