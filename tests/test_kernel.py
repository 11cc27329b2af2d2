from __future__ import annotations

from collections import defaultdict
from ctypes import POINTER, c_double, c_int64
from functools import cache
from itertools import product
from math import comb, exp, inf, log

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from design_cases import METHODOLOGY, build_case, read_case, simulated

from violencescore.assessment import Assessment
from violencescore.design import Design
from violencescore.model import layout as lay
from violencescore.model.effects import log_prior
from violencescore.model.kernel import Kernel, compiled_density
from violencescore.model.logarithm import sum_log, weighted_log
from violencescore.model.packing import unpack
from violencescore.model.quantities import initial_vector, quantities
from violencescore.model.zerosum import zero_sum, zero_sum_both, zero_sum_both_gradient, zero_sum_gradient
from violencescore.names import OTHER

THREE = ["a,Alpha,true", "b,Beta,true", "c,Gamma,true"]
INCIDENTS = [*(f"i{i},2026-07-{i + 1:02d},north" for i in range(5)), "i5,2026-08-01,south", "j0,2026-03-01,south"]
HARMS = [
    *(f"i{i},killing,police,2,1,4" for i in range(5)),
    *("i5,intimidation,,0,0,2", "j0,extortion,,1,,"),
]
NAMED = ["i0,claim,b,,", "i0,press,b,1,", "i0,press,a,2,", "i1,ballistics,a,x,", "i5,press,c,,", "j0,claim,a,,"]
SETS = [
    *("i0,dyad,a,1,", "i0,dyad,b,1,", "i1,dyad,a,1,", "i1,dyad,b,1,", "i1,dyad,c,1,"),
    *("i2,dyad,a,1,", "i2,dyad,b,1,", "i2,dyad,a,2,", "i2,dyad,b,2,", "i2,dyad,c,2,"),
    *("i3,dyad,a,1,", "i3,panel,a,1,", "i3,panel,b,1,", "i4,panel,c,z,"),
    *("i5,panel,c,,", "i5,panel,b,x,", "i5,panel,c,x,", "j0,panel,a,y,", "j0,panel,c,y,"),
]
SETTLED = ["i0,a,true,b", "i1,b,false,", "i2,c,,", "i3,other,true,", "i4,other,,c", "i5,b,,other"]
CONFUSED = METHODOLOGY + "\n[priors]\nconfusion_scale = 0.8\n"
ECHOES = METHODOLOGY + "".join(f"\n[channels.{c}]\nechoes = [1, 4]\n" for c in ("press", "ballistics"))
ECHOED = [
    *("i0,press,b,4,", "i0,press,b,5,", "i0,ballistics,b,6,", "i0,ballistics,a,7,", "i2,press,a,1,", "i2,press,c,2,")
]
EPISODES = METHODOLOGY + "\n[episodes]\nrepeat = [2, 2]\ndays = 2\n"
LINKS = ["i0,i2", "i5,j0", "i2,i3"]
DATED = [
    "organization_id,name,rankable,parent_id,active_from,active_to",
    *("a,Alpha,true,,,2026-08-10", "b,Beta,true,a,2026-07-03,", "c,Gamma,true,b,2026-07-02,2026-07-20"),
]
FACTIONS = METHODOLOGY + "\n[factions]\nold_name = [2, 2]\n"
STAGED = METHODOLOGY + "\n[false_flag]\nparts = 2\nby_element = true\nhiding = 0.5\n"
ALL = (
    METHODOLOGY
    + ECHOES.removeprefix(METHODOLOGY)
    + "".join(text.removeprefix(METHODOLOGY) for text in (EPISODES, FACTIONS, STAGED, CONFUSED))
)
RIVALS = ["a,b,2", "c,a,"]
ONE_PERIOD = METHODOLOGY.replace("baseline_start = 2026-01-01\n", "")

CASES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "plain": (METHODOLOGY, {"evidence": NAMED}),
    "no evidence": (METHODOLOGY, {}),
    "other named": (METHODOLOGY, {"evidence": [*NAMED, "i2,claim,other,,", "i2,ballistics,other,,"]}),
    "only channels that cannot be forged": (METHODOLOGY, {"evidence": ["i1,ballistics,a,,"]}),
    "candidate sets": (METHODOLOGY, {"evidence": SETS}),
    "sets and names": (METHODOLOGY, {"evidence": [*SETS, *NAMED, "i4,press,other,,"]}),
    "settled": (METHODOLOGY, {"evidence": NAMED, "adjudications": SETTLED}),
    "settled without evidence": (METHODOLOGY, {"adjudications": SETTLED}),
    "settled contests": (METHODOLOGY, {"evidence": [*SETS, *NAMED], "adjudications": SETTLED}),
    "one period": (ONE_PERIOD, {"evidence": [*SETS, *NAMED], "adjudications": SETTLED}),
    "two organizations": (
        METHODOLOGY,
        {
            "organizations": THREE[:2],
            "evidence": ["i0,claim,b,,", "i1,dyad,a,1,", "i1,dyad,b,1,", "i2,press,other,,"],
            "adjudications": ["i0,a,true,b", "i1,b,,"],
        },
    ),
    "one organization": (
        METHODOLOGY,
        {"organizations": THREE[:1], "evidence": ["i0,claim,a,,", "i1,dyad,a,x,", "i2,ballistics,a,,"]},
    ),
    "one organization or other": (
        METHODOLOGY,
        {"organizations": THREE[:1], "evidence": ["i0,claim,other,,", "i1,ballistics,a,,"]},
    ),
    "names confused": (CONFUSED, {"evidence": NAMED}),
    "other confused": (CONFUSED, {"evidence": [*NAMED, "i2,claim,other,,"], "adjudications": SETTLED}),
    "sets and names confused": (CONFUSED, {"evidence": [*SETS, *NAMED]}),
    "nobody to confuse": (CONFUSED, {"evidence": ["i0,dyad,a,1,", "i0,dyad,b,1,"]}),
    "one incident": (
        ONE_PERIOD,
        {"incidents": INCIDENTS[:1], "harms": HARMS[:1], "evidence": ["i0,claim,b,,"]},
    ),
}

WITH_OPTIONS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "echoes": (ECHOES, {"evidence": [*NAMED, *ECHOED]}),
    "episodes": (EPISODES, {"evidence": NAMED, "adjudications": SETTLED}),
    "links": (METHODOLOGY, {"evidence": [*SETS, *NAMED], "links": LINKS}),
    "episodes and links": (EPISODES, {"evidence": [*SETS, *NAMED], "links": LINKS}),
    "dates": (METHODOLOGY, {"organizations": DATED, "evidence": [*SETS, *NAMED]}),
    "factions": (FACTIONS, {"organizations": DATED, "evidence": NAMED}),
    "staging in strata": (STAGED, {"evidence": NAMED, "adjudications": SETTLED, "rivalries": RIVALS}),
    "all options": (
        ALL,
        {"organizations": DATED, "evidence": [*SETS, *NAMED, *ECHOED], "links": LINKS, "rivalries": RIVALS},
    ),
}
"""Held to all that could have happened in test_options.py."""
CASES |= WITH_OPTIONS


@cache
def case(name: str) -> tuple[Assessment, Design, Kernel]:
    if name in CASES:
        methodology, tables = CASES[name]
        given = {"organizations": THREE, "incidents": INCIDENTS, "harms": HARMS} | tables
        if methodology == ONE_PERIOD:
            given["incidents"] = [row for row in given["incidents"] if not row.startswith("j")]
            for table in ("harms", "evidence"):
                given[table] = [row for row in given[table] if not row.startswith("j")]
        assessment = read_case(methodology, **given)
    else:
        assessment = simulated(name, 1, 120)
    return assessment, *build_case(assessment)


def random_vector(kernel: Kernel, seed: int, scale: float = 0.7) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, kernel.layout.size)


def log_likelihood(kernel: Kernel, vector: np.ndarray) -> float:
    """The density without its prior."""
    offset, _, _, beta, _, chance, *_ = kernel.arguments
    return kernel.log_density(vector)[0] - log_prior(vector, offset, beta, chance, np.zeros(len(vector)))


# Zero-sum effects


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_zero_sum_effects_sum_to_zero_and_keep_their_length(n: int) -> None:
    free = np.random.default_rng(n).normal(size=n - 1)
    out = np.empty(n)
    zero_sum(free, out)
    assert out.sum() == pytest.approx(0, abs=1e-14)
    assert out @ out == pytest.approx(free @ free, abs=1e-14)


def test_zero_sum_effects_have_the_same_spread_each() -> None:
    basis = np.empty((4, 5))
    for row, unit in zip(basis, np.eye(4), strict=True):
        zero_sum(unit, row)
    assert np.allclose(basis @ basis.T, np.eye(4))
    assert np.allclose(basis.T @ basis, np.eye(5) - 1 / 5)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 5), (4, 2)])
def test_effects_that_sum_to_zero_both_ways_do_and_keep_their_length(n: int, m: int) -> None:
    free = np.random.default_rng(n).normal(size=(n - 1, m - 1))
    out = np.empty((n, m))
    zero_sum_both(free, out)
    assert np.allclose(out.sum(axis=0), 0, atol=1e-14)
    assert np.allclose(out.sum(axis=1), 0, atol=1e-14)
    assert (out**2).sum() == pytest.approx((free**2).sum())


def test_gradients_of_zero_sum_effects_are_the_transposed_maps() -> None:
    rng = np.random.default_rng(0)
    free, weight, out, gradient = rng.normal(size=4), rng.normal(size=5), np.empty(5), np.full(4, 10.0)
    zero_sum(free, out)
    zero_sum_gradient(weight, gradient)
    assert (gradient - 10) @ free == pytest.approx(weight @ out)
    many, weights = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))
    full, gradients = np.empty((3, 4)), np.full((2, 3), 10.0)
    zero_sum_both(many, full)
    zero_sum_both_gradient(weights, gradients)
    assert ((gradients - 10) * many).sum() == pytest.approx((weights * full).sum())


# Gradient


@pytest.mark.parametrize("name", [*CASES, "demo", "dyads"])
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    _, _, kernel = case(name)
    for seed in range(2):
        vector, step = random_vector(kernel, seed), 1e-5
        _, gradient = kernel.log_density(vector)
        numeric = [
            (kernel.log_density(vector + step * unit)[0] - kernel.log_density(vector - step * unit)[0]) / (2 * step)
            for unit in np.eye(len(vector))
        ]
        assert np.allclose(gradient, numeric, rtol=1e-6, atol=1e-5)


def test_the_gradient_holds_far_from_the_middle_of_the_prior() -> None:
    _, _, kernel = case("settled contests")
    vector = random_vector(kernel, 5, scale=3.0)
    value, gradient = kernel.log_density(vector)
    assert np.isfinite(value)
    direction = np.random.default_rng(6).normal(size=len(vector))
    ends = [kernel.log_density(vector + sign * 1e-6 * direction)[0] for sign in (-1, 1)]
    assert (ends[1] - ends[0]) / 2e-6 == pytest.approx(gradient @ direction, rel=1e-5)


def test_the_density_leaves_its_vector_alone_and_repeats_itself() -> None:
    _, _, kernel = case("demo")
    vector = random_vector(kernel, 1)
    kept = vector.copy()
    first, second = kernel.log_density(vector), kernel.log_density(vector)
    assert np.array_equal(vector, kept)
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])


# PyMC


@pytest.mark.parametrize(
    "name",
    [
        *("no evidence", "one organization or other", "one incident", "settled contests", "sets and names confused"),
        *("staging in strata", "episodes", "all options", "demo"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:pytensor", "ignore::FutureWarning:pytensor")
def test_density_and_gradient_are_those_of_the_pymc_model(name: str) -> None:
    import pytensor
    from pytensor.compile.mode import Mode

    from violencescore.model.specification import build_model, vector_of

    assessment, design, kernel = case(name)
    # No rewrites and no compilation: the graph as written, evaluated node by node.
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        model = build_model(design, assessment.methodology.priors)
        start = model.initial_point()
        values = [model.rvs_to_values[rv] for rv in model.free_RVs]
        outputs, mode = [model.logp(), model.dlogp()], Mode(linker="py", optimizer=None)
        density = model.compile_fn(outputs, inputs=values, mode=mode, point_fn=False, on_unused_input="ignore")
    sizes = [np.size(start[v.name]) for v in values]
    assert sum(sizes) == kernel.layout.size
    differences = []
    for seed in range(3):
        vector = random_vector(kernel, seed)
        parts = np.split(vector, np.cumsum(sizes)[:-1])
        point = {v.name: part.reshape(np.shape(start[v.name])) for v, part in zip(values, parts, strict=True)}
        assert np.array_equal(vector_of(model, point), vector)
        expected, expected_gradient = density(*point.values())
        value, gradient = kernel.log_density(vector)
        differences.append(expected - value)
        assert np.allclose(gradient, expected_gradient, rtol=1e-8, atol=1e-8)
    assert np.ptp(differences) < 1e-8


# By brute force, from the formulas: every perpetrator, false flag and framed actor of every incident


def log_sum(terms: list[float]) -> float:
    top = max(terms)
    return top if top == -inf else top + log(sum(exp(term - top) for term in terms))


Engagement = dict[tuple[str, frozenset[str], str], float]


def engagement_of(assessment: Assessment, design: Design, kernel: Kernel, vector: np.ndarray) -> Engagement:
    """Weight of each candidate by (channel, candidates, candidate)."""
    priors, layout, factors = assessment.methodology.priors, kernel.layout, design.factors
    own = layout.block(vector, lay.ENGAGEMENT)
    n = len(design.organizations)
    free = layout.block(vector, lay.CONTESTED)
    total = free.sum()
    effect = [*(free - total / (np.sqrt(n) + n)), -total / np.sqrt(n)] if n > 1 and len(own) else [0.0] * n
    found = {}
    for s, h in enumerate(factors.set_channel):
        at = range(factors.set_start[s], factors.set_start[s + 1])
        names = frozenset(design.actors[factors.set_member[i]] for i in at)
        for i in at:
            k = factors.set_member[i]
            spread = priors.engagement_scale * own[i] if len(own) else 0.0
            found[design.channels[h], names, design.actors[k]] = exp(priors.contested_scale * effect[k] + spread)
    return found


def by_label(dataset: xr.Dataset) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for name, array in dataset.data_vars.items():
        labels = product(*(array[dim].values.tolist() for dim in array.dims))
        found[str(name)] = dict(zip(labels, array.values.ravel().tolist(), strict=True))
    return found


def brute_force(assessment: Assessment, design: Design, kernel: Kernel, vector: np.ndarray) -> float:
    named = by_label(quantities(kernel, design, vector[None, None]).isel(chain=0, draw=0))
    engaged = engagement_of(assessment, design, kernel, vector)
    methodology, actors, organizations = assessment.methodology, design.actors, design.organizations
    n_org = len(organizations)

    def log_piece(channel: str, names: list[str], seen: str) -> float:
        accuracy = named["accuracy"][channel,]
        if methodology.channels[channel].candidates:
            if seen == OTHER:
                return -log(comb(n_org, len(names)))
            if seen in names:
                return log(accuracy) - log(comb(n_org - 1, len(names) - 1))
            return log(1 - accuracy) - log(comb(n_org - 1, len(names)))
        if "confusion" in named:
            return log(named["confusion"][channel, seen, names[0]])
        if names == [seen]:
            return log(accuracy)
        fame, its_own = named["notoriety"][channel, names[0]], named["notoriety"][channel, seen]
        if seen == OTHER and not design.other_is_named:
            return log(fame)
        return log((1 - accuracy) * fame / (1 - its_own))

    pieces: dict[str, dict[int, tuple[str, list[str]]]] = defaultdict(dict)
    for row in assessment.evidence.itertuples():
        pieces[row.incident_id].setdefault(row.piece, (row.channel, []))[1].append(row.organization_id)
    settled = {row.incident_id: row for row in assessment.adjudications.itertuples()}
    kind_of = {
        i: min(rows["category"], key=methodology.category_labels.index)
        for i, rows in assessment.harms.groupby("incident_id")
    }

    total = -sum(named["rate"].values())
    for row in assessment.incidents.itertuples():
        held = list(pieces[row.incident_id].values())
        sets = [p for p in held if methodology.channels[p[0]].candidates and len(p[1]) > 1]
        contest = min(sets, key=lambda p: len(p[1])) if sets else None
        rest = [p for p in held if p is not contest]
        cell = kind_of[row.incident_id], row.period
        weight = {k: named["rate"][*cell, k] * named["presence"][row.region, k] for k in actors}
        if contest:
            channel, among = contest[0], frozenset(contest[1])
            accuracy = named["accuracy"][channel,]
            inside = {k: weight[k] * engaged[channel, among, k] for k in among}
            outside = {k: weight[k] for k in actors if k not in among}
            weight = {k: accuracy * w / sum(inside.values()) for k, w in inside.items()}
            weight |= {k: (1 - accuracy) * w / sum(outside.values()) for k, w in outside.items()}

        def log_channels(seen: str, forgeable: bool, rest: list = rest, contest: object = contest) -> float:
            value = 0.0
            for channel in design.channels:
                if methodology.channels[channel].forgeable != forgeable:
                    continue
                own = [names for at, names in rest if at == channel]
                value += sum(log_piece(channel, names, seen) for names in own)
                if contest is None or contest[0] != channel:
                    reach = named["reach"][channel, seen]
                    value += log(reach) if own else log(1 - reach)
            return value

        ruling = settled.get(row.incident_id)
        terms = []
        for z in actors:
            if ruling is not None and ruling.organization_id != z:
                continue
            start = log(weight[z]) + log_channels(z, forgeable=False)
            share = named["false_flag"][row.period, z] if design.stages else 0.0
            known = None if ruling is None or pd.isna(ruling.false_flag) else bool(ruling.false_flag)
            if known is not True:
                terms.append(start + log(1 - share) + log_channels(z, forgeable=True))
            if known is not False and share > 0:
                for m in actors:
                    if m != z and (ruling is None or ruling.framed_id in ("", m)):
                        target = named["target"][z, m]
                        terms.append(start + log(share) + log(target) + log_channels(m, forgeable=True))
        total += log_sum(terms)
    return total


@pytest.mark.parametrize("name", [name for name in CASES if name not in WITH_OPTIONS])
def test_the_likelihood_is_the_sum_over_all_that_could_have_happened(name: str) -> None:
    assessment, design, kernel = case(name)
    for seed in range(2):
        vector = random_vector(kernel, seed)
        expected = brute_force(assessment, design, kernel, vector)
        assert log_likelihood(kernel, vector) == pytest.approx(expected, rel=1e-10)


def test_the_likelihood_of_a_simulated_world_is_that_sum_too() -> None:
    assessment, design, kernel = case("demo")
    vector = random_vector(kernel, 3, 0.4)
    assert log_likelihood(kernel, vector) == pytest.approx(brute_force(assessment, design, kernel, vector), rel=1e-10)


# Much evidence on one incident


def many_pieces(n: int, *adjudications: str) -> tuple[Assessment, Design, Kernel]:
    evidence = [f"i0,press,b,o{i}," for i in range(n)] + [f"i0,ballistics,c,o{i}," for i in range(n // 2)]
    given = {"organizations": THREE, "incidents": INCIDENTS, "harms": HARMS, "evidence": evidence}
    assessment = read_case(**given, adjudications=list(adjudications))
    return assessment, *build_case(assessment)


@pytest.mark.parametrize("adjudication", [(), ("i0,a,,",), ("i0,a,false,",), ("i0,a,true,b",)])
@pytest.mark.parametrize("n", [60, 1000])
def test_hundreds_of_pieces_of_evidence_do_not_underflow(n: int, adjudication: tuple[str, ...]) -> None:
    assessment, design, kernel = many_pieces(n, *adjudication)
    vector = initial_vector(kernel, design)
    value, gradient = kernel.log_density(vector)
    assert np.isfinite(gradient).all()
    assert value < -n / 2
    assert log_likelihood(kernel, vector) == pytest.approx(brute_force(assessment, design, kernel, vector), rel=1e-10)


# What the density says


def test_an_accuracy_at_chance_or_at_one_is_out_of_reach() -> None:
    _, design, kernel = case("plain")
    vector = initial_vector(kernel, design)
    values = []
    for extreme in (-40.0, 0.0, 40.0):
        kernel.layout.block(vector, lay.ACCURACY)[:] = extreme
        values.append(kernel.log_density(vector)[0])
    assert np.isfinite(values).all()
    assert max(values[0], values[2]) < values[1] - 30


def test_one_more_naming_moves_an_incident_towards_the_named() -> None:
    named = ["i0,press,b,1,", "i0,press,b,2,", "i0,press,b,3,"]
    ratios = []
    for n in (1, 2, 3):
        given = {"organizations": THREE, "incidents": INCIDENTS, "harms": HARMS, "evidence": named[:n]}
        values = []
        for who in ("a", "b"):
            design, kernel = build_case(read_case(**given, adjudications=[f"i0,{who},false,"]))
            values.append(log_likelihood(kernel, initial_vector(kernel, design)))
        ratios.append(values[1] - values[0])
    assert 0 < ratios[0] < ratios[1] < ratios[2]


def test_how_many_incidents_lie_between_two_says_nothing_of_their_rates() -> None:
    def gradient_of_levels(n: int) -> np.ndarray:
        incidents = [f"i{i},2026-07-01,north" for i in range(n)]
        harms = [f"i{i},killing,police,1,," for i in range(n)]
        evidence = [f"i{i},dyad,{o},x," for i in range(n) for o in "ab"]
        given = {"organizations": THREE, "incidents": incidents, "harms": harms, "evidence": evidence}
        _, kernel = build_case(read_case(ONE_PERIOD, **given))
        vector = np.zeros(kernel.layout.size)
        _, gradient = kernel.log_density(vector)
        offset = kernel.layout.offset
        # The level of incidents falls with the total rate, which the mean level sets to n before anything is learned.
        assert gradient[offset[lay.LEVEL]] == pytest.approx(-lay.LEVEL_SCALE * n)
        return gradient[offset[lay.ORGANIZATION] : offset[lay.OTHER_LEVEL]]

    # All actors alike: no candidate is favoured, however often it is one.
    assert np.allclose(gradient_of_levels(3), gradient_of_levels(300), atol=300 * 1e-12)


# As compiled code


def test_a_point_where_the_density_is_zero_is_refused_and_not_believed() -> None:
    _, _, kernel = case("demo")
    size, point = kernel.layout.size, POINTER(c_double)

    def status(vector: np.ndarray) -> int:
        arrays = [array.ctypes.data_as(point) for array in (vector, np.zeros(size), np.zeros(1))]
        return compiled_density().ctypes(size, *arrays, kernel.packed.ctypes.data_as(POINTER(c_int64)))

    assert status(np.full(size, 1e4)) == 1
    assert status(np.zeros(size)) == 0


def test_packed_arguments_come_out_as_they_went_in() -> None:
    _, _, kernel = case("settled contests")
    for given, found in zip(kernel.arguments, unpack(kernel.packed), strict=True):
        pairs = zip(given, found, strict=True) if isinstance(given, tuple) else [(given, found)]
        for a, b in pairs:
            assert np.array_equal(a, b)


def test_weighted_logarithms_are_those_of_numpy_to_rounding() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.exp(rng.uniform(-700, 700, 4001)), 1 + rng.normal(0, 1e-6, 4000), [1.0, 2.0, 0.5, 2**0.5]])
    for value in x[:: len(x) // 400]:
        assert weighted_log(np.array([1]), np.array([value])) == pytest.approx(np.log(value), rel=4e-16, abs=4e-16)
    n = rng.integers(1, 50, len(x))
    assert weighted_log(n, x) == pytest.approx(float(n @ np.log(x)), rel=1e-13)


def test_logarithms_of_products_add_up_to_those_of_numpy() -> None:
    x = np.exp(np.random.default_rng(0).uniform(-700, 700, 4001))
    for n in (*range(20), len(x)):
        assert sum_log(x[:n]) == pytest.approx(float(np.log(x[:n]).sum()), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("value", [0.0, 1e-310, -1.0, np.nan])
def test_the_logarithm_of_no_positive_number_is_minus_infinity(value: float) -> None:
    assert weighted_log(np.array([1, 2]), np.array([1.0, value])) == -np.inf
    assert sum_log(np.array([1.0, value])) == -np.inf
