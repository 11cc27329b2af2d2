"""The model as a user would write it from the textbook: one mixture term an incident, in PyMC, NumPyro and Stan.

All three state the model of ``violencescore.model.specification`` with the same priors and the same data, each in the
natural parametrisation of its library. ``incidents`` holds the data one row an incident, ``scores`` what is compared.
"""
