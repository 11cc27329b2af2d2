"""What would change the verdict: each question a part, and all their margins on one page, the passport.

A part is a module with

- pure functions over draws, which return a ``pandas.DataFrame`` whose ``attrs`` hold ``estimand`` (what its numbers
  are, in words) and ``method``;
- ``examine(basis, progress) -> Finding``: its tables, and its margins for the passport, made of a `basis.Basis` (the
  draws, the methodology, and the tables of the assessment where they are at hand);
- ``draw(finding, names) -> {name: Figure}``: its figures, from the tables alone;
- ``PART``: a `findings.Part` with its name, what it asks, and these two functions. `parts.PARTS` lists all.

A `margins.Margin` is one number of the passport. It is the larger the safer, it says how it was found (``draws``:
from the draws of the verdict with common random numbers; ``reweighted``: by Pareto-smoothed importance sampling,
with its k; ``refit``: the model was sampled again), and a methodology may require a minimum of it under
``[robustness]``. Its names are those of `robustness_choices.MARGINS`.

`runs` and `verdict` know `margins` only; all else comes after the report, and needs no sampler unless it fits again.
"""
