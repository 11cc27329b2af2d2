"""Draws of harm parted by classes of incidents: the same attribution, which keeps the classes apart as categories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from violencescore.assessment import Assessment
from violencescore.attribution import Attribution
from violencescore.design import Design, build_profiles, gather_harms, incident_rows
from violencescore.grouping import ints, unique_rows
from violencescore.names import WINDOW
from violencescore.trees import Classes

FloatArray = npt.NDArray[np.float64]


def parted_design(design: Design, assessment: Assessment, classes: Classes | None) -> Design:
    """Return the design with a category for each pair of a class and a category; as it is without classes.

    The density does not look at categories or profiles, so that parameters and their draws stay the same. Incidents of
    one group that differ in class are allotted apart, which is the same multinomial in two steps.
    """
    if classes is None:
        return design
    harms = gather_harms(assessment, incident_rows(assessment)["harms"])
    codes, pairs = unique_rows(design.incident_group, classes.of_incident)
    profiles = build_profiles(harms, codes)
    group, part = pairs[profiles.group].T
    n = len(design.categories)
    category = profiles.category + n * np.repeat(part, np.diff(profiles.start))
    labels = tuple(f"{label} in class {c}" for c in range(len(classes.segment)) for label in design.categories)
    return replace(design, categories=labels, profiles=replace(profiles, group=ints(group), category=ints(category)))


def join_parts(attribution: Attribution, design: Design) -> tuple[Attribution, FloatArray | None]:
    """Return the attribution with classes added up, and the harm in the window by class.

    Parameters
    ----------
    attribution
        Of `parted_design`, or of ``design`` itself.
    design
        The design that was parted.

    Returns
    -------
    attribution, by_class
        ``by_class`` is (chain, draw, class, actor, category), None where nothing was parted.
    """
    n = len(design.categories)
    n_parts = attribution.realized.shape[-1] // n
    if n_parts == 1:
        return attribution, None
    parts = {
        name: values.reshape(*values.shape[:-1], n_parts, n).sum(axis=-2)
        for name in ("realized", "expected", "unreported")
        if (values := getattr(attribution, name)).shape[-1] == n * n_parts
    }
    total = attribution.total.reshape(*attribution.realized.shape[:-1], n_parts, n)
    by_class: FloatArray = np.moveaxis(total[:, :, design.periods.index(WINDOW)], 3, 2)
    return replace(attribution, **parts), by_class
