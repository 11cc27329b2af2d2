"""The commands ``rounds ...``: the ledger of the whole process, from the first announcement to the last round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import REFUSED, AsJson, app, read_day
from violencescore.comparing import Assessments, compare_with_refits
from violencescore.errors import Fault, InputError
from violencescore.publishing import Key, print_checks, read_commitment, signing_key
from violencescore.report import terminal

if TYPE_CHECKING:
    from violencescore.rounds.history import Round
    from violencescore.rounds.ledger import Entry

rounds_app = typer.Typer(
    help="The ledger of the whole process: announced, window open, verdict, target named, progress, victory, next.",
    no_args_is_help=True,
)
app.add_typer(rounds_app, name="rounds", rich_help_panel="To the public, and back")

Ledger = Annotated[
    Path, typer.Argument(metavar="LEDGER", show_default=False, help="Folder of the ledger: a file for each entry.")
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why, for all to read.")]


@rounds_app.command("announce")
def announce_command(
    ledger: Ledger,
    commitment: Annotated[
        Path, typer.Option(metavar="FILE", help="The commitment of the round, as `commit` wrote it.")
    ],
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the process; said with the first round.")] = "",
    stop_margin: Annotated[
        float | None,
        typer.Option(metavar="X", min=0, help="Stop test 1: share by which the first must exceed the second; 0.25."),
    ] = None,
    stop_confidence: Annotated[
        float | None, typer.Option(metavar="X", help="Of both stop tests; else that of the methodology.")
    ] = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Announce a round: enter its commitment before the window opens. The first begins the ledger.

    Said again while the round is announced, with an amendment of the commitment, it enters the amendment. The next
    round needs the one before to be over, and must not rank anybody over whom victory was declared.

    Example: `violencescore rounds announce ledger --commitment commitment.json --key panel.key`
    """
    from violencescore.rounds import history, statements, verification

    chain = read_commitment(commitment)
    begun = ledger.is_dir() and any(not path.name.startswith(".") for path in ledger.iterdir())
    entries = verification.require_sound(ledger) if begun else ()
    rounds = history.build_rounds(entries)
    facts = statements.terms(chain, rounds, stop_margin=stop_margin, stop_confidence=stop_confidence)
    if rounds and rounds[-1].phase == "announced":
        _add(ledger, entries, key, "amended", facts, as_json)
        return
    known = entries[0].facts["title"] if entries else chain[-1].methodology["title"] or chain[-1].methodology["id"]
    facts["title"] = title or known
    _add(ledger, entries, key, "announced", facts, as_json, number=len(rounds) + 1)


@rounds_app.command("open")
def open_command(ledger: Ledger, key: Key = None, as_json: AsJson = False) -> None:
    """Enter that the window has opened: from now on nothing can be amended.

    Example: `violencescore rounds open ledger --key panel.key`
    """
    entries = _entries(ledger)
    window = _present(entries).in_force["window"]
    _add(ledger, entries, key, "opened", {"start": window["start"], "end": window["end"]}, as_json)


@rounds_app.command("verdict")
def verdict_command(
    ledger: Ledger,
    bundle: Annotated[Path, typer.Option(metavar="BUNDLE", help="The published bundle: a folder, or a zip of it.")],
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Enter the verdict of a published bundle, once the bundle has passed all its checks.

    P(first), the stop tests and the violence per day are recomputed from the draws of the bundle.

    Example: `violencescore rounds verdict ledger --bundle bundle --key panel.key`
    """
    from violencescore.errors import RefusedError
    from violencescore.publication.bundle import read_bundle
    from violencescore.publication.verify import verify
    from violencescore.rounds.statements import verdict

    entries = _entries(ledger)
    files = read_bundle(bundle)
    if failed := [check.name for check in verify(files) if check.status == "fail"]:
        raise RefusedError(f"{bundle} does not pass its checks (`violencescore verify`): {'; '.join(failed)}")
    stop = {key: _present(entries).in_force["stop"][key] for key in ("margin", "confidence")}
    _add(ledger, entries, key, "verdict", verdict(files, stop), as_json)


@rounds_app.command("name")
def name_command(
    ledger: Ledger,
    statement: Annotated[str, typer.Option(metavar="TEXT", help="What is said at the naming.")] = "",
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Name the target: the organization that the verdict selected, and nobody else.

    Example: `violencescore rounds name ledger --key panel.key`
    """
    entries = _entries(ledger)
    settled = _present(entries).verdict
    selected = None if settled is None else settled.facts["selected"]
    _add(ledger, entries, key, "named", {"organization": selected, "statement": statement}, as_json)


@rounds_app.command("progress")
def progress_command(
    ledger: Ledger,
    run: Annotated[Path, typer.Option(metavar="RUN", help="A run whose window is the period that is reported on.")],
    actions: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Enforcement actions: date, organization_id, and count if not 1 a row."),
    ] = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Report what became of the violence since the target was named, as medians with 90 % intervals.

    Weighted harm per day of the target and of all others, by the weights of the verdict, and how many times the
    baseline that is; the target's share of revenue, where there are estimates; enforcement on the target and off it.

    Example: `violencescore rounds progress ledger --run run-october --actions actions.csv --key panel.key`
    """
    from violencescore.rounds.statements import progress
    from violencescore.runs import load_run

    entries = _entries(ledger)
    facts = progress(load_run(run), _present(entries), actions)
    _add(ledger, entries, key, "progress", facts, as_json)


@rounds_app.command("victory")
def victory_command(ledger: Ledger, reason: Reason, key: Key = None, as_json: AsJson = False) -> None:
    """Declare victory over the target, which ends the round: it is not ranked in later ones.

    Example: `violencescore rounds victory ledger --reason "Its leaders are in custody." --key panel.key`
    """
    entries = _entries(ledger)
    facts = {"organization": _present(entries).target, "reason": reason}
    _add(ledger, entries, key, "victory", facts, as_json)


@rounds_app.command("end")
def end_command(ledger: Ledger, reason: Reason, key: Key = None, as_json: AsJson = False) -> None:
    """Give a round up, with a reason, so that another can be announced. Nobody is retired by it.

    A round in which nobody was selected is over with its verdict.

    Example: `violencescore rounds end ledger --reason "The panel resigned." --key panel.key`
    """
    _add(ledger, _entries(ledger), key, "ended", {"reason": reason}, as_json)


@rounds_app.command("restate")
def restate_command(
    ledger: Ledger,
    run: Annotated[Path, typer.Option(metavar="RUN", help="The run on restated data.")],
    was: Annotated[Path, typer.Option(metavar="RUN", help="The run that the verdict was reached by.")],
    number: Annotated[
        int | None, typer.Option("--round", metavar="N", help="The round that is scored again; else the last verdict.")
    ] = None,
    assessments: Assessments = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Would we still? Score an old round again on restated data; the record stays as it is.

    The change of the verdict is explained by its cause, as `compare` does: data, methodology, or Monte-Carlo error.
    With the assessments (of --was, then of --run) rows are compared, too, and combinations fitted where needed.

    Example: `violencescore rounds restate ledger --run rerun --was run --assessments world restated --key panel.key`
    """
    from violencescore.rounds.history import build_rounds
    from violencescore.rounds.statements import require_verdict_of, restated
    from violencescore.runs import load_run

    entries = _entries(ledger)
    rounds = build_rounds(entries)
    done = [r for r in rounds if r.verdict is not None and number in (None, r.number)]
    if not done:
        rule = "has no verdict that could be scored again"
        raise InputError([Fault("--round", rule, value=None if number is None else str(number))])
    before, after = load_run(was), load_run(run)
    require_verdict_of(before, done[-1])
    found = compare_with_refits(before, after, assessments)
    entry = _add(ledger, entries, key, "restated", restated(after, found), as_json, number=done[-1].number)
    if not as_json:
        from violencescore.report.changes import change_view

        terminal.screen().print(change_view(found))
        same = entry.facts["outcome"], entry.facts["selected"]
        settled = done[-1].verdict
        still = settled is not None and same == (settled.facts["outcome"], settled.facts["selected"])
        terminal.print_line("Would we still? Yes: the same verdict." if still else "Would we still? No.", style="bold")


@rounds_app.command("next")
def next_command(
    ledger: Ledger,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", show_default=False, help="The choices of the round that is over.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make: what the next round commits to.")],
    start: Annotated[date, typer.Option(metavar="DATE", parser=read_day, help="First day of the next window.")],
    end: Annotated[date, typer.Option(metavar="DATE", parser=read_day, help="Its last day.")],
    announced: Annotated[
        date | None, typer.Option(metavar="DATE", parser=read_day, help="Day of the announcement; else the first day.")
    ] = None,
    baseline: Annotated[
        date | None,
        typer.Option("--baseline-from", metavar="DATE", parser=read_day, help="First day of the baseline."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what the next round is to commit to: another window, and whoever was defeated ranked no more.

    methodology.toml keeps every line but its [window]; organizations.csv gets rankable = false for the targets over
    whom victory was declared: what they do is still modelled. The baseline begins where it did, unless another day is
    given. Nothing is entered in the ledger.

    Example: `violencescore rounds next ledger rules --out rules-2 --start 2026-11-01 --end 2026-12-26`
    """
    from violencescore.assessment import read_choices
    from violencescore.errors import RefusedError
    from violencescore.report.rounds import all_names
    from violencescore.rounds.history import build_rounds, retired
    from violencescore.rounds.successor import next_window, write_successor

    rounds = build_rounds(_entries(ledger))
    if rounds[-1].phase != "over":
        raise RefusedError(f"Round {rounds[-1].number} is not over: declare victory, or end it with a reason.")
    before = read_choices(folder).methodology.window
    if before is None:
        raise InputError([Fault("methodology.toml", "has no window", column="window")])
    gone = retired(rounds)
    names = write_successor(folder, gone, next_window(before, start, end, announced, baseline), out)
    if as_json:
        terminal.print_json({"folder": str(out), "retired": list(gone), "files": list(names)})
        return
    who = ", ".join(map(all_names(rounds).__getitem__, gone)) or "nobody"
    terminal.print_line(f"Choices of round {len(rounds) + 1}: {out} (retired: {who}).")
    terminal.print_line(f"Next: violencescore commit {out} --out commitment-{len(rounds) + 1}.json")


@rounds_app.command("verify")
def verify_command(
    ledger: Ledger,
    head: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="Digest of the last entry, as it was published.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="HEX", help="The panel's public key, as it was published.")] = None,
    bundle: Annotated[
        list[Path] | None, typer.Option(metavar="BUNDLE", help="A published bundle to check against; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a ledger: every entry signed and in its place, the rules of the process kept, verdicts as in the bundles.

    No sampler is needed. A failure ends with exit status 3.

    Example: `violencescore rounds verify ledger --head 1f0c... --bundle bundle`
    """
    from violencescore.publication.bundle import read_bundle
    from violencescore.publication.verify import has_passed
    from violencescore.rounds.verification import verify_ledger

    bundles = {str(path): read_bundle(path) for path in bundle or []}
    checks = verify_ledger(ledger, head=head, key=key, bundles=bundles)
    passed = has_passed(checks)
    if as_json:
        terminal.print_json({"ledger": str(ledger), "passed": passed, "checks": list(map(vars, checks))})
    else:
        print_checks(checks, "ledger")
    if not passed:
        raise typer.Exit(REFUSED)


@rounds_app.command("show")
def show_command(ledger: Ledger, as_json: AsJson = False) -> None:
    """Print a ledger to be read: rounds, every entry, the error budget, and whether the process may stop.

    Example: `violencescore rounds show ledger`
    """
    from violencescore.report.rounds import ledger_json, ledger_view

    entries = _entries(ledger)
    if as_json:
        terminal.print_json(ledger_json(entries))
    else:
        terminal.screen().print(ledger_view(entries))


@rounds_app.command("figure")
def figure_command(
    ledger: Ledger,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Figure to write: .svg, .png or .pdf.")],
    as_json: AsJson = False,
) -> None:
    """Draw the rounds: verdicts against the line, violence of the target and the rest, market and enforcement.

    Example: `violencescore rounds figure ledger --out rounds.svg`
    """
    from violencescore.report.figure_files import require_format, write_figure
    from violencescore.report.round_figures import rounds_figure

    require_format(out)
    write_figure(rounds_figure(_entries(ledger)), out)
    if as_json:
        terminal.print_json({"figure": str(out)})
    else:
        terminal.print_line(f"Figure: {out}")


def _entries(ledger: Path) -> tuple[Entry, ...]:
    from violencescore.rounds.verification import require_sound

    return require_sound(ledger)


def _present(entries: Sequence[Entry]) -> Round:
    from violencescore.rounds.history import current_round

    return current_round(entries)


def _add(
    ledger: Path,
    entries: Sequence[Entry],
    key: Path | None,
    kind: str,
    facts: Mapping[str, Any],
    as_json: bool,
    number: int | None = None,
) -> Entry:
    """Add an entry, and say what digest is to be published."""
    from violencescore.report.rounds import all_names, entry_sentence
    from violencescore.rounds.history import append, build_rounds
    from violencescore.rounds.ledger import entry_name, write_entry

    entry = append(entries, signing_key(key, make=False), kind, facts, number=number)
    write_entry(ledger, entry)
    if as_json:
        file = str(ledger / entry_name(entry.number))
        terminal.print_json({"entry": file, "sha256": entry.sha256, **entry.statement})
        return entry
    names = all_names(build_rounds((*entries, entry)))
    terminal.print_line(f"Entry {entry.number}, round {entry.round}. {entry_sentence(entry, names)}")
    terminal.print_line(f"Head of the ledger, to publish: {entry.sha256}")
    return entry
