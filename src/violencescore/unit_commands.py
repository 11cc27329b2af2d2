"""The commands about who counts as one, and whose the drug flow is."""

from __future__ import annotations

from violencescore.commands import AsJson, RunFolder, app
from violencescore.errors import RefusedError
from violencescore.report import terminal

_VERDICT = "From tables to a verdict"


@app.command(rich_help_panel=_VERDICT)
def units(run: RunFolder, as_json: AsJson = False) -> None:
    """Show who counts as one, who is first under every published tree, and what sub-units have in common.

    Trees: each organization by itself, whoever stands below one parent as one, and those listed under [units] in
    the methodology. All are computed from the draws of the run: harms are summed in each draw, then ranked.

    Example: `violencescore units my-run`
    """
    from violencescore.cohesion import MEASURES, measure_cohesion
    from violencescore.report.units import cohesion_view, trees_json, trees_view
    from violencescore.runs import load_run
    from violencescore.scenarios import tree_results
    from violencescore.units import tree_names

    loaded = load_run(run)
    posterior, methodology = loaded.posterior, loaded.methodology
    if not tree_names(posterior):
        raise RefusedError(
            "Every organization counts by itself: the table `organizations` states no parents, the table `events` no "
            "splits or mergers, and the methodology lists no trees under [units]."
        )
    decision = loaded.decide()
    results = tree_results(posterior, methodology, loaded.diagnostics)
    seed = int(loaded.run["seed"])
    shares = [measure_cohesion(posterior, methodology, measure, seed) for measure in MEASURES]
    if as_json:
        trees = trees_json(posterior, decision, results)
        terminal.print_json({"trees": trees, "common": [share.to_json_dict() for share in shares]})
        return
    console = terminal.screen()
    console.print(trees_view(posterior, decision, results))
    console.print()
    console.print(cohesion_view(shares))


@app.command(rich_help_panel=_VERDICT)
def flows(run: RunFolder, as_json: AsJson = False) -> None:
    """Show each organization's share of the drug flow, from the networks of the assessment.

    The share is what `per = "flow"` divides scores by. Who runs each network is printed with --json.

    Example: `violencescore flows my-run`
    """
    from violencescore.report.units import flows_json, flows_view
    from violencescore.runs import load_run

    loaded = load_run(run)
    if "flows" not in loaded.posterior.children:
        raise RefusedError(
            "The run knows no networks: add the tables `networks` and `network_evidence` to the assessment, and fit."
        )
    if as_json:
        terminal.print_json(flows_json(loaded.posterior))
    else:
        terminal.screen().print(flows_view(loaded.posterior, loaded.decide().names))
