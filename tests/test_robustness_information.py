"""What information is worth, against every answer tried, and where it is known to be nothing or all."""

import itertools

import numpy as np
import pytest
import xarray as xr
from test_robustness_ledger import chances_of, incidents_of

from violencescore.fitting import Fit
from violencescore.robustness import information, ledger, revenue, weights
from violencescore.robustness.adjudicating import Stakes, adjudication_table
from violencescore.robustness.allotment import place_incidents, sample_noise
from violencescore.robustness.basis import Basis, lead_shares
from violencescore.robustness.waiting import audit_value, value_of_futures
from violencescore.robustness_choices import MARGINS
from violencescore.sampling import no_progress

ACTORS = ("a", "b", "other")
HARMS = [(3, 3, 3), (2, 2, 2), (2, 2, 2)]
THETA = np.array(
    [
        [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]],
        [[0.3, 0.6, 0.1], [0.4, 0.5, 0.1], [0.2, 0.7, 0.1]],
    ]
)
"""Weights of the actors for each incident (parameter, incident, actor), for incidents that are what they seem."""
STAGED = 0.2 * THETA[:, :, [1, 0, 2]]
N = 8_000


def stakes_of(n: int, confidence: float = 0.7) -> Stakes:
    return Stakes(("a", "b"), np.array([0, 1]), np.ones((n, 2)), confidence)


def every_world() -> list[tuple[float, tuple[tuple[int, int], ...], np.ndarray]]:
    """Every world of three incidents: its probability, who did each and whether it was staged, and who is first."""
    found = []
    for theta in range(2):
        either = THETA[theta] + STAGED[theta]
        for who in itertools.product(range(3), repeat=3):
            for flags in itertools.product(range(2), repeat=3):
                p = 0.5
                for i in range(3):
                    source = STAGED if flags[i] else THETA
                    p *= source[theta, i, who[i]] / either[i].sum()
                scores = np.zeros(3)
                for i in range(3):
                    scores[who[i]] += HARMS[i][1]
                found.append((p, tuple(zip(who, flags, strict=True)), lead_shares(scores[None, :2])[0]))
    return found


def nested(incident: int) -> tuple[float, float]:
    """Gain of settling an incident, and the share of the doubt that it removes, by trying every answer."""
    worlds = every_world()
    p_first = sum(p * first for p, _, first in worlds)
    answers = {answers[incident] for _, answers, _ in worlds}
    joint = {a: sum(p * first for p, answers, first in worlds if answers[incident] == a) for a in answers}
    gain = sum(q.max() for q in joint.values()) - p_first.max()
    purity = sum((q**2).sum() / q.sum() for q in joint.values())
    return gain, (purity - (p_first**2).sum()) / (1 - (p_first**2).sum())


def test_settling_an_incident_is_worth_what_trying_every_answer_says() -> None:
    rng = np.random.default_rng(0)
    # In an order that mixes the two parameters in every block of draws.
    theta = np.arange(N) % 2
    incidents, chances = incidents_of(HARMS), chances_of(THETA[theta], STAGED[theta])
    placed = place_incidents(incidents, chances, sample_noise(N, incidents, rng), np.ones(1))
    table = adjudication_table(incidents, chances, placed, stakes_of(N), ACTORS).set_index("incident_id")
    for i in range(3):
        gain, doubt = nested(i)
        row = table.loc[f"I{i}"]
        assert gain > 0.01
        assert row["gain"] == pytest.approx(gain, abs=4 * row["gain_mcse"] + 0.003)
        assert row["doubt"] == pytest.approx(doubt, abs=4 * row["doubt_mcse"] + 0.003)
    assert table["gain"].is_monotonic_decreasing


def test_a_settled_incident_is_not_worth_settling() -> None:
    rng = np.random.default_rng(1)
    honest = np.broadcast_to([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]], (2_000, 2, 3))
    incidents, chances = incidents_of([(1, 1, 1), (3, 3, 3)]), chances_of(honest, np.zeros_like(honest))
    placed = place_incidents(incidents, chances, sample_noise(2_000, incidents, rng), np.ones(1))
    table = adjudication_table(incidents, chances, placed, stakes_of(2_000), ACTORS).set_index("incident_id")
    assert table.loc["I0", "gain"] == 0.0
    assert table.loc["I0", "doubt"] == pytest.approx(0.0, abs=1e-6)
    # Who did the other decides all: asking makes sure.
    assert table.loc["I1", "gain"] == pytest.approx(0.5, abs=0.05)
    assert table.loc["I1", "doubt"] == pytest.approx(1.0, abs=0.02)
    assert table.loc["I1", "p_named"] == pytest.approx(1.0)
    assert table.loc["I1", "rule_gain"] == pytest.approx(1.0, abs=0.05)


def test_noise_alone_is_never_worth_anything() -> None:
    # Two that are alike, and answers that tell nothing of the first: what was done weighs nothing.
    rng = np.random.default_rng(2)
    n = 400
    honest = np.broadcast_to([0.5, 0.5, 0.0], (n, 20, 3))
    incidents = incidents_of([(2, 2, 2)] + [(0, 0, 0)] * 19)
    chances = chances_of(honest, np.zeros_like(honest))
    placed = place_incidents(incidents, chances, sample_noise(n, incidents, rng), np.ones(1))
    table = adjudication_table(incidents, chances, placed, stakes_of(n), ACTORS).set_index("incident_id")
    nothing = table.drop(index="I0")
    assert nothing["gain"].mean() < 0.01
    assert (nothing["doubt"] <= 4 * nothing["doubt_mcse"] + 0.02).all()


# ---- waiting


def two_way(n: int) -> tuple[np.ndarray, np.ndarray]:
    scores = np.zeros((n, 3))
    scores[np.arange(n), (np.arange(n) // 2) % 2] = 1.0
    scores[: n // 5] = [1.0, 0.0, 0.0]
    return scores, lead_shares(scores[:, :2])


def test_a_future_that_tells_nothing_is_worth_nothing() -> None:
    scores, now = two_way(1_000)
    found = value_of_futures(lambda true: (scores[true], scores, np.zeros(1_000)), now, stakes_of(1_000))
    assert found.gain == pytest.approx(0.0, abs=1e-12)
    assert found.after == found.now
    assert found.method == "reweighted"
    assert found.p_named == 0.0


def test_a_future_that_tells_all_makes_sure() -> None:
    scores, now = two_way(1_000)

    def future(true: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return scores[true], np.broadcast_to(scores[true], scores.shape), np.zeros(1_000)

    found = value_of_futures(future, now, stakes_of(1_000))
    assert found.after == pytest.approx(1.0, abs=0.05)
    assert found.gain == pytest.approx(1.0 - found.now, abs=0.05)
    assert found.p_named == 1.0
    assert found.p_wrong == pytest.approx(0.0, abs=1e-9)


def test_a_signal_that_is_right_so_often_is_worth_what_arithmetic_says() -> None:
    # a is first with 0.6; the signal is right with 0.9: one then names whom it names, and is right with 0.9.
    n = 1_000
    scores, now = two_way(n)
    rng = np.random.default_rng(5)

    def future(true: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        says_a = bool(scores[true, 0] > 0) == (rng.random() < 0.9)
        likely = np.where((scores[:, 0] > 0) == says_a, 0.9, 0.1)
        return scores[true], scores, np.log(likely)

    found = value_of_futures(future, now, stakes_of(n), n_futures=500)
    assert found.now == pytest.approx(0.6, abs=0.01)
    assert found.after == pytest.approx(0.9, abs=0.03)


def test_where_draws_cannot_be_weighed_the_truth_judges() -> None:
    n = 1_000
    scores, now = two_way(n)
    wild = np.random.default_rng(0).standard_cauchy(n) * 50
    found = value_of_futures(lambda true: (scores[true], scores, wild), now, stakes_of(n))
    assert found.method == "lower bound"
    assert found.gain == pytest.approx(0.0)


def test_an_audit_that_decides_all_makes_sure_and_one_that_does_not_matter_is_worth_nothing() -> None:
    rng = np.random.default_rng(1)
    money = rng.lognormal(0.0, 1.0, 4_000)
    first = np.column_stack([money < 1.2, money >= 1.2]).astype(float)
    decisive = audit_value(first, money, 0.9)
    assert decisive.after == pytest.approx(1.0, abs=0.03)
    assert decisive.gain == pytest.approx(1 - decisive.now, abs=0.03)
    idle = audit_value(first, rng.random(4_000), 0.9)
    assert idle.gain < 0.005


# ---- whole parts


@pytest.fixture(scope="module")
def basis(small_fit: Fit) -> Basis:
    diagnostics = {**small_fit.diagnostics.to_json_dict({}), "converged": True}
    return Basis(small_fit.posterior, small_fit.assessment.methodology, diagnostics, small_fit.assessment, seed=3)


@pytest.mark.parametrize("part", [weights, ledger, information], ids=lambda part: part.__name__.rpartition(".")[2])
def test_a_part_answers_with_described_tables_and_figures(part, basis: Basis) -> None:
    finding = part.PART.examine(basis, no_progress)
    assert finding.tables
    for table in finding.tables.values():
        assert {"estimand", "method"} <= set(table.attrs)
    assert part.PART.draw(finding, basis.names)
    assert all(note.strip() for note in finding.notes)
    for margin in finding.margins:
        assert margin.low <= margin.value <= margin.high
        assert margin.name in MARGINS


def test_without_estimates_the_part_of_revenue_says_so(basis: Basis) -> None:
    from violencescore.errors import RefusedError

    if "revenue" in basis.posterior.children:
        finding = revenue.PART.examine(basis, no_progress)
        assert revenue.PART.draw(finding, basis.names)
    else:
        with pytest.raises(RefusedError, match="no estimates of revenue"):
            revenue.PART.examine(basis, no_progress)


def with_revenue(basis: Basis) -> Basis:
    import dataclasses

    harm = basis.posterior["harms"]["harm_realized"]
    shape = (harm.sizes["chain"], harm.sizes["draw"], harm.sizes["organization"])
    money = np.random.default_rng(0).lognormal(3.0, 0.5, shape)
    dims = ("chain", "draw", "organization")
    tree = basis.posterior.copy()
    tree["revenue"] = xr.DataTree(
        xr.Dataset({"revenue": (dims, money)}, coords={"organization": harm["organization"].values})
    )
    score = basis.methodology.score.model_copy(update={"per": "revenue"})
    return dataclasses.replace(basis, posterior=tree, methodology=basis.methodology.model_copy(update={"score": score}))


def test_per_revenue_the_parts_of_revenue_ledger_and_information_answer_too(basis: Basis) -> None:
    per = with_revenue(basis)
    finding = revenue.PART.examine(per, no_progress)
    assert {m.name for m in finding.margins} == {"revenue_agreement", "revenue_break_even"}
    assert revenue.PART.draw(finding, per.names)
    shares = ledger.PART.examine(per, no_progress).tables["shares"]
    assert ledger.REVENUE in set(shares["part"])
    waiting = information.PART.examine(per, no_progress).tables["waiting"]
    assert sum(waiting["what"].str.startswith("audit of")) == len(per.ids)
