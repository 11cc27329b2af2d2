"""The methodologist's bench: is the model of attribution right about who did what?

``channels``: what each channel was found to be worth. ``waterfall``: how one incident got its attribution. ``folds``
and ``scoring``: settled incidents, predicted as if they were not. ``comparison``: variants of the model. ``checks``:
does the model reproduce the evidence? All of it works on draws of named quantities, over groups of incidents.
"""
