"""Names of the methods that are compared, and the quantiles that are kept of what they say."""

from __future__ import annotations

MODEL, DOUBTS, NO_FLAGS, NAMES = "model", "all doubts", "no false flags", "counting names"
METHODS = (MODEL, NO_FLAGS, NAMES)
"""What is compared: the model, the model without false flags, and counting how often each is named."""

ALL_METHODS = (MODEL, DOUBTS, NO_FLAGS, NAMES)
"""What can be compared: also the model with the options of ``CAUTIOUS``, whatever the world."""

CAUTIOUS = "kleiman-2011-cautious"
"""The shipped methodology that has doubts switched on."""

ALWAYS = "most named, always"
"""Counting without a probability: whoever the evidence names most often is named, however close it is."""

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Quantiles that are kept of each score: the ends of the 90, 80 and 50 % intervals, and the median."""
