"""Another week and another source, against nested simulation: every future, and every world in it, tried one by one."""

import itertools
from collections import defaultdict
from math import exp, factorial
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from test_robustness_ledger import chances_of, incidents_of

from violencescore.robustness import futures, waiting
from violencescore.robustness.adjudicating import Stakes
from violencescore.robustness.allotment import Incidents, Placed, place_incidents, sample_noise
from violencescore.robustness.basis import lead_shares
from violencescore.robustness.futures import Stage, another_source, another_week
from violencescore.robustness.series import node_arrays
from violencescore.robustness.ties import Ends, Tied, Ties
from violencescore.robustness.waiting import Value, value_of_futures

ACTORS = ("a", "b", "other")
HARM = [(3, 3, 3), (2, 2, 2), (2, 2, 2)]
WHO = np.array(
    [
        [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]],
        [[0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.3, 0.6, 0.1]],
    ]
)
"""Who did each incident of the window, under two sets of parameters that are equally likely (parameters, incident)."""
RATE = np.array([[0.5, 0.1, 0.1], [0.1, 0.4, 0.1]])
REACH, ACCURACY = np.array([0.7, 0.6]), np.array([0.8, 0.9])
STAGED, ECHO, FOLLOW, MOST = np.array([0.3, 0.1]), np.array([0.0, 0.4]), 0.3, 3
"""Shares of staged incidents; of echoes, by channel; chance that the second takes up what the first speaks of; and the
most incidents of a week that are tried."""
N = 2_000


def naming(h: int) -> np.ndarray:
    """Whom a channel names, by who did it; silence last (actor, named)."""
    wrong = 1 - ACCURACY[h]
    said = np.array([[ACCURACY[h], wrong, 0.0], [wrong, ACCURACY[h], 0.0], [0.5, 0.5, 0.0]])
    return np.column_stack([REACH[h] * said, np.full(3, 1 - REACH[h])])


def case(bond: float) -> tuple[SimpleNamespace, Incidents, Placed, xr.Dataset, np.ndarray]:
    """A design with a forgeable channel and one that is not, draws of the two sets of parameters, and worlds."""
    rng = np.random.default_rng(0)
    theta = rng.permutation(np.arange(N) % 2)
    incidents, chances = incidents_of(HARM), chances_of(WHO[theta], np.zeros((N, 3, 3)))
    placed = place_incidents(incidents, chances, sample_noise(N, incidents, rng), np.ones(1))
    design = SimpleNamespace(
        engages=False, periods=("window",), days=np.array([7.0]), actors=ACTORS, kinds=("k",), kin=np.empty((0, 2), int),
        groups=SimpleNamespace(kind=np.zeros(3, int)), channels=("press", "firm"), echoing=("firm",),
        forgeable=np.array([True, False]), nodes=SimpleNamespace(group=np.empty(0, int)),
    )  # fmt: skip
    sample = ("chain", "draw")
    table = np.stack([naming(h)[:, :3] / REACH[h] for h in range(2)])
    target = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    held = {
        "rate": RATE[theta][:, None, None, :], "presence": np.ones((N, 1, 3)),
        "reach": np.tile(REACH[:, None], (N, 1, 3)), "accuracy": np.tile(ACCURACY, (N, 1)),
        "confusion": np.tile(table, (N, 1, 1, 1)), "echo": np.full((N, 1), ECHO[1]),
        "follow": np.full((N, 1), FOLLOW),
        "false_flag": np.tile(STAGED[theta][:, None, None], (1, 1, 3)), "target": np.tile(target, (N, 1, 1)),
        "episode": np.full((N, 1), bond),
    }  # fmt: skip
    draws = xr.Dataset(
        {name: ((*sample, *(f"{name}_{i}" for i in range(v.ndim - 1))), v[None]) for name, v in held.items()}
    )
    return design, incidents, placed, draws, theta


def stakes() -> Stakes:
    return Stakes(("a", "b"), np.array([0, 1]), np.ones((N, 2)), 0.7)


def first_of(scores: np.ndarray) -> np.ndarray:
    return lead_shares(scores[None, :2])[0]


def evidence(theta: int, k: int, said: tuple[int, int]) -> float:
    """Probability of what both channels say of one incident, given who did it; the second may echo the first."""

    def both(seen: int) -> float:
        firm = naming(1)[k, said[1]]
        if said[0] < 3:
            speaks = 1 - (1 - REACH[1]) * (1 - FOLLOW)
            own = firm / REACH[1]
            firm = speaks * ((1 - ECHO[1]) * own + ECHO[1] * (said[0] == said[1])) if said[1] < 3 else 1 - speaks
        return float(naming(0)[seen, said[0]] * firm)

    target = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]][k]
    return (1 - STAGED[theta]) * both(k) + STAGED[theta] * sum(target[m] * both(m) for m in range(3))


def nested_week(bond: float) -> tuple[float, float]:
    """Probability of naming rightly the first of the longer window: as things stand, and after the week."""
    looks = [(h, g) for h in (0, 1, 3) for g in (0, 1, 3)]
    # By how many came, and what was said of each.
    joint = [np.zeros((*(len(looks),) * n, 2)) for n in range(MOST + 1)]
    for theta in range(2):
        total = RATE[theta].sum()
        seen = np.array([[evidence(theta, k, look) for k in range(3)] for look in looks])
        for before in itertools.product(range(3), repeat=3):
            p_before = 0.5 * np.prod([WHO[theta, i, k] for i, k in enumerate(before)])
            for n in range(MOST + 1):
                count = exp(-total) * total**n / factorial(n)
                for came in itertools.product(range(3), repeat=n):
                    p, last = p_before * count, before[-1]
                    for k in came:
                        p *= (1 - bond) * RATE[theta, k] / total + bond * (k == last)
                        last = k
                    scores = np.zeros(3)
                    for i, k in enumerate(before):
                        scores[k] += HARM[i][1]
                    np.add.at(scores, list(came), 2.0)
                    told = np.ones(())
                    for k in came:
                        told = np.multiply.outer(told, seen[:, k])
                    joint[n] += p * told[..., None] * first_of(scores)
    whole = sum(own.reshape(-1, 2).sum(axis=0) for own in joint)
    after = sum(own.max(axis=-1).sum() for own in joint)
    now = int(np.argmax(stands_now()))
    return float(whole[now] / whole.sum()), float(after / whole.sum())


def stands_now() -> np.ndarray:
    """P(first) before anything more is known."""
    found = np.zeros(2)
    for theta in range(2):
        for before in itertools.product(range(3), repeat=3):
            scores = np.zeros(3)
            for i, k in enumerate(before):
                scores[k] += HARM[i][1]
            found += 0.5 * np.prod([WHO[theta, i, k] for i, k in enumerate(before)]) * first_of(scores)
    return found


def valued(future, placed: Placed, *, same_truth: bool) -> Value:
    now = lead_shares(placed.scores[:, :2])
    return value_of_futures(future, now, stakes(), n_futures=500, same_truth=same_truth)


@pytest.mark.parametrize("bond", [0.0, 0.7])
def test_another_week_is_worth_what_every_week_tried_says(bond: float, monkeypatch: pytest.MonkeyPatch) -> None:
    # Weights of two sets of parameters take two values: there is no tail to smooth.
    monkeypatch.setattr(waiting, "importance", lambda log: (np.exp(log - log.max()) / np.exp(log - log.max()).sum(), 0))
    design, incidents, placed, draws, _ = case(bond)
    # The harm of what comes does not depend on whose it is: two.
    placed.amount[:, 0] = 2.0
    ends = Ends(np.array([2]), np.ones(1), 1e9 if bond else None)
    future = another_week(design, incidents, placed, draws, Stage(ends, np.zeros(1, int)), np.random.default_rng(1))
    found = valued(future, placed, same_truth=False)
    stays, after = nested_week(bond)
    assert found.method == "reweighted"
    assert found.now == pytest.approx(stands_now().max(), abs=0.02)
    assert after - stays > 0.01
    # The gain is over what one would be right by now.
    assert found.after == pytest.approx(after, abs=4 * found.mcse)


def series_of(theta: np.ndarray, repeat: float) -> Tied:
    """The three incidents as one series."""
    nodes = node_arrays(np.arange(3), np.array([-1, 0, 1]), np.zeros(3, int))
    n = len(theta)
    ones = np.ones((n, 3, 3), dtype=np.float32)
    return Tied(
        ones, WHO[theta].astype(np.float32), 0 * ones, np.zeros((n, 3)), np.tile([0.0, repeat, repeat], (n, 1)), nodes
    )


def every_series(repeat: float) -> dict[tuple[int, tuple[int, ...]], float]:
    """Probability of parameters and of who did the three incidents."""
    found = {}
    for theta in range(2):
        own = {}
        for who in itertools.product(range(3), repeat=3):
            p = 1.0
            for i, k in enumerate(who):
                r = repeat if i else 0.0
                p *= ((1 - r) + 3 * r * (i > 0 and who[i - 1] == k)) * WHO[theta, i, k]
            own[theta, who] = p
        found |= {at: 0.5 * p / sum(own.values()) for at, p in own.items()}
    return found


@pytest.mark.parametrize("repeat", [0.0, 0.6])
def test_another_source_is_worth_what_every_answer_tried_says(repeat: float, monkeypatch: pytest.MonkeyPatch) -> None:
    design, incidents, placed, draws, theta = case(0.0)
    chances = chances_of(WHO[theta], np.zeros((N, 3, 3)))
    worlds = every_series(repeat)
    monkeypatch.setattr(futures, "incident_of_nodes", lambda _: np.arange(3 if repeat else 0))
    monkeypatch.setattr(futures, "tied_draws", lambda *_: series_of(theta, repeat) if repeat else None)
    if repeat:
        # Worlds of the series, drawn from all that there are.
        rng = np.random.default_rng(3)
        for t in range(2):
            own = {who: p for (at, who), p in worlds.items() if at == t}
            mine = np.flatnonzero(theta == t)
            drawn = rng.choice(len(own), size=len(mine), p=np.array(list(own.values())) / sum(own.values()))
            placed.who[mine] = np.array(list(own))[drawn]
        placed.scores[:] = 0.0
        np.add.at(placed.scores, (np.arange(N)[:, None], placed.who), placed.amount)
        incidents.ties.node[:] = np.arange(3)
    future = another_source(design, incidents, chances, placed, draws, "firm", np.random.default_rng(2))
    found = valued(future, placed, same_truth=True)
    joint: dict[tuple[int, ...], np.ndarray] = defaultdict(lambda: np.zeros(2))
    for (_, who), p in worlds.items():
        scores = np.zeros(3)
        for i, k in enumerate(who):
            scores[k] += HARM[i][1]
        for said in itertools.product((0, 1, 3), repeat=3):
            joint[said] += p * np.prod([naming(1)[k, s] for k, s in zip(who, said, strict=True)]) * first_of(scores)
    after, stays = sum(v.max() for v in joint.values()), sum(joint.values()).max()
    assert after - stays > 0.05
    assert found.method == "reweighted"
    assert found.now == pytest.approx(stays, abs=0.02)
    assert found.gain == pytest.approx(after - stays, abs=4 * found.mcse)
    assert isinstance(incidents.ties, Ties)
