"""From a decision to what people read: sentences, terminal tables, figures, the page.

Nothing here computes a probability: every number is read from one `Decision`, so that no two outputs
can disagree. Importing this package is cheap; matplotlib and Jinja2 are imported where they are used.
"""

from __future__ import annotations
