"""The textbook statements that benchmarks/peers.py compares with: is it the same model, and is the comparison fair?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from design_cases import build_case, simulated
from peers import OURS, check_agreement, parse, summarize, tabulate, with_earlier
from textbook.agreement import compare_means, largest_allowed, mean_and_error
from textbook.figure import draw_peers
from textbook.incidents import expand_design
from textbook.runs import Run, Task, most_draws, run_task
from textbook.samplers import stan_data
from textbook.scores import QUANTITIES, compared_quantities, expected_scores, window_worth

from violencescore.design import Design
from violencescore.errors import InputError
from violencescore.fitting import Fit
from violencescore.model import layout as lay
from violencescore.model.kernel import Kernel
from violencescore.model_options import Priors


def textbook_point(kernel: Kernel, design: Design, priors: Priors, vector: np.ndarray) -> dict[str, np.ndarray]:
    """The textbook model's unconstrained values at a point of the kernel's vector."""
    j, c, r, t, h, _ = (int(n) for n in kernel.layout.sizes)
    unit = kernel.natural(vector)

    def effects(number: int, scale: int, centre: float, *shape: int) -> np.ndarray:
        """Effects that the textbook does not centre, in units of their scale."""
        scales = centre * np.exp(priors.scale_spread * kernel.layout.block(vector, scale))
        values = kernel.layout.block(unit, number)
        return (values / np.repeat(scales, len(values) // len(scales))).reshape(shape)

    def block(number: int, *shape: int) -> np.ndarray:
        return kernel.layout.block(vector, number).reshape(shape)

    def log_scale(number: int, centre: float, *shape: int) -> np.ndarray:
        return np.log(centre) + priors.scale_spread * block(number, *shape)

    level = block(lay.LEVEL, c, t)
    mean_level = expand_design(design, priors).mean_level
    return {
        "level": mean_level + lay.LEVEL_SCALE * level[:, 0],
        "level_change": priors.level_shift_scale * level[:, 1],
        "organization_scale_log__": log_scale(lay.ORGANIZATION_SCALE, priors.log_rate_scale),
        "organization_zerosum__": kernel.layout.block(unit, lay.ORGANIZATION),
        "other": priors.other_scale * block(lay.OTHER_LEVEL, 1),
        "shift_scale_log__": log_scale(lay.SHIFT_SCALE, priors.period_scale),
        "shift_zerosum__": effects(lay.SHIFT, lay.SHIFT_SCALE, priors.period_scale, j - 1),
        "kind_scale_log__": log_scale(lay.KIND_SCALE, priors.kind_scale),
        "kind_zerosum__": effects(lay.KIND, lay.KIND_SCALE, priors.kind_scale, j - 1, c - 1).T,
        "region_zerosum__": priors.region_scale * block(lay.REGION_SIZE, r - 1),
        "presence_scale_log__": log_scale(lay.PRESENCE_SCALE, priors.presence_scale),
        "presence_own_zerosum__": effects(lay.PRESENCE, lay.PRESENCE_SCALE, priors.presence_scale, j - 1, r - 1).T,
        "reach_location": priors.reach_mean + priors.reach_location_scale * block(lay.REACH, h),
        "reach_scale_log__": log_scale(lay.REACH_SCALE, priors.reach_scale, h),
        "reach_deviation_zerosum__": effects(lay.REACH_DEVIATION, lay.REACH_SCALE, priors.reach_scale, h, j - 1),
        "accuracy_interval__": block(lay.ACCURACY, h),
        "fame_zerosum__": priors.notoriety_scale * block(lay.NOTORIETY, h, j - 2),
        "staging_logodds__": block(lay.STAGING, t),
        "staging_deviation": block(lay.STAGING_DEVIATION, j),
        "staging_shift": block(lay.STAGING_SHIFT, t, j),
        "preference": priors.target_scale * block(lay.TARGET, j, j - 1),
    }


def log_stretch(kernel: Kernel, priors: Priors, vector: np.ndarray) -> float:
    """Log of how far the textbook's values lie apart, over how far the kernel's do: it depends on the scales alone."""
    log_scale = priors.scale_spread * kernel.layout.block(vector, lay.ORGANIZATION_SCALE)
    # The textbook centres the organizations' levels, and nothing else.
    return float(log_scale[0] * kernel.layout.block(vector, lay.ORGANIZATION).size)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pytensor", "ignore::FutureWarning:pytensor")
def test_the_textbook_model_in_pymc_has_the_density_of_the_kernel() -> None:
    import pytensor
    from pytensor.compile.mode import Mode
    from textbook.statement_pymc import build_textbook_model

    assessment = simulated("plain", 1, 120)
    design, kernel = build_case(assessment)
    priors = assessment.methodology.priors
    # No rewrites and no compilation: the graph as written, evaluated node by node.
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        model = build_textbook_model(expand_design(design, priors))
        mode = Mode(linker="py", optimizer=None)
        textbook = model.compile_fn(model.logp(), mode=mode, on_unused_input="ignore")
    gaps = []
    for seed in range(4):
        vector = np.random.default_rng(seed).normal(0, 0.7, kernel.layout.size)
        point = textbook_point(kernel, design, priors, vector)
        assert set(point) == set(model.initial_point())
        gaps.append(float(textbook(point)) + log_stretch(kernel, priors, vector) - kernel.log_density(vector)[0])
    assert np.ptp(gaps) < 1e-7


def test_every_incident_has_its_row_and_its_evidence() -> None:
    assessment = simulated("plain", 1, 120)
    design, _ = build_case(assessment)
    data = expand_design(design, assessment.methodology.priors)
    assert len(data.kind) == design.n_incidents
    evidence = assessment.evidence.drop_duplicates("piece")
    assert data.votes.sum() == len(evidence)
    spoken = evidence.groupby(["incident_id", "channel"]).size()
    assert data.speaks.sum() == len(spoken)
    assert np.array_equal(data.speaks > 0, data.votes.sum(axis=2) > 0)
    assert (data.possible.sum(axis=1) == 1).sum() == len(assessment.adjudications)
    columns = [data.evidence(forgeable) for forgeable in (False, True)]
    width = len(design.organizations) + 2
    assert [c.shape[1] for c in columns] == [width * (~data.forgeable).sum(), width * data.forgeable.sum()]


def test_stan_is_given_the_same_rows_counted_from_one() -> None:
    assessment = simulated("plain", 1, 120)
    data = expand_design(build_case(assessment)[0], assessment.methodology.priors)
    block = stan_data(data)
    settled = np.array(block["perpetrator"])
    assert (settled > 0).sum() == len(assessment.adjudications)
    assert np.array_equal(data.possible[settled > 0].argmax(axis=1) + 1, settled[settled > 0])
    assert min(block["kind"]) == min(block["region"]) == min(block["period"]) == 1
    assert sorted([*block["firm_channel"], *block["forged_channel"]]) == list(range(1, data.n_channels + 1))


def test_what_the_textbook_leaves_out_is_refused() -> None:
    assessment = simulated("dyads", 1, 120)
    design, _ = build_case(assessment)
    with pytest.raises(InputError, match="must hold no candidate sets; compare on a simulated `plain` world"):
        expand_design(design, assessment.methodology.priors)


def test_the_scores_compared_are_the_responsibilities_of_the_package_weighted(small_fit: Fit) -> None:
    draws = {name: small_fit.posterior["posterior"][name].to_numpy() for name in QUANTITIES}
    methodology = small_fit.assessment.methodology
    scores = expected_scores(small_fit.design, methodology, draws)
    worth = window_worth(small_fit.design, methodology)
    expected = worth @ small_fit.attribution.responsibility
    assert np.allclose(scores.mean(axis=(0, 1)), expected[:-1], rtol=1e-8)
    compared = compared_quantities(small_fit.design, scores, draws)
    assert sum(np.mean(v) for name, v in compared.items() if name.startswith("P(first)")) == pytest.approx(1)


# Agreement


def independent(seed: int, mean: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    named = {f"score[{i}]": rng.normal(mean, 1.0, (2, 500)) for i in range(5)}
    return named | {"P(first)[0]": np.zeros((2, 500))}


def test_posteriors_agree_when_they_are_the_same_and_not_when_one_is_moved() -> None:
    same, moved = compare_means(independent(1), independent(2)), compare_means(independent(1), independent(2, 0.3))
    allowed = largest_allowed(len(same))
    assert same["z"].abs().max() < allowed < moved["z"].abs().max()
    assert largest_allowed(100) > allowed > 3


def test_an_indicator_that_never_moves_still_has_an_error() -> None:
    mean, error = mean_and_error(np.ones((2, 500)))
    assert (mean, error) == (1.0, pytest.approx(0.001))


# The command


def finished(sampler: str, seconds: float, draws: dict[str, np.ndarray], repeat: int = 0) -> Run:
    task = Task(sampler, 300, repeat, repeat == 0, 500, 500, 2, 7)
    facts = {"seconds_compile": 1.0, "seconds_sample": seconds, "gradients": 10, "divergences": 0, "versions": "x 1"}
    return Run(task, "finished", seconds + 2.0, facts, draws)


def test_a_ratio_is_to_the_run_of_the_same_round() -> None:
    draws = independent(1)
    runs = [finished(OURS, 2.0, draws), finished("Stan", 20.0, draws)]
    runs += [finished(OURS, 1.0, draws, 1), finished("Stan", 50.0, draws, 1)]
    table = tabulate(runs, parse(["--incidents", "300"]))
    assert table["ratio"].tolist() == pytest.approx([1.0, 10.0, 1.0, 50.0])
    assert table["caches"].tolist() == ["cold", "cold", "warm", "warm"]
    assert table["ess_per_second"][0] == pytest.approx(table["min_ess"][0] / 2.0)


def test_a_posterior_that_disagrees_makes_its_comparison_void() -> None:
    runs = [finished(OURS, 2.0, independent(1)), finished("Stan", 20.0, independent(2, 0.5))]
    runs.append(finished("NumPyro", 20.0, independent(3)))
    agreement, void = check_agreement(runs)
    assert void == {(300, "Stan")}
    table = tabulate(runs, parse([]))
    table["void"] = [(i, s) in void for i, s in zip(table["incidents"], table["sampler"], strict=True)]
    shown = summarize(table, agreement).set_index("sampler")["ours is faster by"]
    assert shown["Stan"] == "VOID"
    assert shown["NumPyro"].startswith("10")


def test_chains_that_disagree_compare_with_nothing() -> None:
    torn = independent(2)
    torn["score[0]"] = torn["score[0]"] + np.array([[0.0], [3.0]])
    _, void = check_agreement([finished(OURS, 2.0, independent(1)), finished("Stan", 20.0, torn)])
    assert void == {(300, "Stan")}


def test_what_did_not_finish_is_a_word_and_never_a_number() -> None:
    unfinished = dataclasses.replace(finished("Stan", 1.0, {}), status="unfinished after 9 s (sampling)", facts={})
    table = tabulate([finished(OURS, 2.0, independent(1)), unfinished], parse(["--limit", "9"]))
    assert table.loc[1, ["seconds_sample", "min_ess", "ess_per_second", "ratio"]].isna().all()
    assert table.loc[1, "status"] == "unfinished after 9 s (sampling)"


def test_what_did_not_finish_is_slower_by_at_least_what_all_its_draws_would_be_worth() -> None:
    unfinished = dataclasses.replace(
        finished("Stan", 1.0, {}), status="unfinished after 9 s (sampling)", facts={}, most_per_second=4.0
    )
    table = tabulate([finished(OURS, 2.0, independent(1)), unfinished], parse(["--limit", "9"]))
    assert table["at_least"][1] == pytest.approx(table["ess_per_second"][0] / 4.0)
    assert np.isnan(table["at_least"][0])
    shown = summarize(table.assign(void=False), pd.DataFrame())
    assert shown.loc[1, "effective/s"] == "unfinished after 9 s (sampling)"
    assert shown.loc[1, "ours is faster by"].startswith("at least ")


@pytest.mark.parametrize(
    ("sampler", "words", "noise", "most"),
    [
        ("PyMC", "stage compiling\n", "", 2),
        ("PyMC", "stage compiling\nstage sampling\nstage sampling 60 of 400 draws\n", "", 64),
        ("NumPyro", "stage compiling\nstage sampling\n", "Running chain 0: 5%|\rRunning chain 1: 10%|", 60),
        ("Stan", "stage compiling\nstage sampling\n", "Sampling:  99%", 400),
    ],
)
def test_a_stopped_run_has_done_no_more_than_it_told_and_had_no_time_to_tell(
    sampler: str, words: str, noise: str, most: float
) -> None:
    assert most_draws(Task(sampler, 300, 0, True, 100, 100, 2, 7), words, noise) == pytest.approx(most, abs=2)


def test_figures_of_other_sizes_stay(tmp_path: Path) -> None:
    table = tabulate([finished(OURS, 2.0, independent(1))], parse([])).assign(void=False)
    path = tmp_path / "peers.csv"
    table.assign(incidents=5000).to_csv(path, index=False)
    whole = with_earlier(path, table, [300])
    assert whole["incidents"].tolist() == [300, 5000]
    assert len(with_earlier(path, table, [300, 5000])) == 1


def test_a_run_is_stopped_at_its_limit_and_says_how_far_it_came(tmp_path: Path) -> None:
    task = Task("Stan", 300, 0, True, 10, 10, 2, 7)
    run = run_task(task, tmp_path / "assessment", tmp_path, 0.0)
    assert run.status == "unfinished after 0 s (starting)"
    assert np.isnan(run.seconds)
    assert run.draws == {}


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    run = run_task(Task(OURS, 300, 0, True, 10, 10, 2, 7), tmp_path / "assessment", tmp_path, 60.0)
    assert run.status.startswith("failed: ")
    assert "assessment" in run.status


def test_the_figure_is_drawn_of_what_finished() -> None:
    draws = independent(1)
    fewer = finished("Stan", 20.0, draws)
    fewer = dataclasses.replace(fewer, task=dataclasses.replace(fewer.task, draws=200))
    table = tabulate([finished(OURS, 2.0, draws), finished("NumPyro", 20.0, draws), fewer], parse([]))
    whole, without = (draw_peers(table.assign(void=table["sampler"] == name)) for name in ("", "Stan"))
    assert whole.startswith(b"\x89PNG")
    assert whole != without
