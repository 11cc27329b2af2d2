"""Worlds with known truth: assessments drawn from the model as written, in NumPy and apart from the model's code.

``simulate_world`` draws who did what, then what each channel says of it; ``write_simulation`` leaves an assessment
that any command reads, beside the truth. Nothing of the model's own code is used, so that agreement means something.
"""

from violencescore.simulation.assessments import Simulation, simulate_world, write_simulation
from violencescore.simulation.worlds import ANNOUNCED, BASELINE_DAYS, WINDOW_DAYS, WORLDS, ChannelWorld, World

__all__ = [
    "ANNOUNCED",
    "BASELINE_DAYS",
    "WINDOW_DAYS",
    "WORLDS",
    "ChannelWorld",
    "Simulation",
    "World",
    "simulate_world",
    "write_simulation",
]
