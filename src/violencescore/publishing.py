"""The commands towards the public: bind the rules, publish a run, check what was published."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from violencescore.commands import REFUSED, AsJson, Folder, RunFolder, app
from violencescore.errors import Fault, InputError
from violencescore.progress import checked, interruptible, show_progress
from violencescore.report import terminal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from xarray import DataArray

    from violencescore.assessment import Assessment
    from violencescore.methodology import Methodology
    from violencescore.publication.commitment import Commitment
    from violencescore.publication.verify import Check

_PUBLIC = "To the public, and back"

Key = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Signing key; by default your own, which `commit` makes the first time."),
]


@app.command(rich_help_panel=_PUBLIC)
def keygen(
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to make; only you may read it (mode 600).")],
    as_json: AsJson = False,
) -> None:
    """Make a signing key (Ed25519) and print its public half, which is to be published.

    Example: `violencescore keygen --out panel.key`
    """
    from violencescore.publication.keys import make_key, public_hex

    public = public_hex(make_key(out))
    if as_json:
        terminal.print_json({"key": str(out), "public_key": public})
        return
    terminal.print_line(f"Key: {out} (keep it secret; whoever has it can sign in your name)")
    terminal.print_line(f"Public half: {public}")


@app.command(rich_help_panel=_PUBLIC)
def commit(
    folder: Folder,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Commitment file to make; the notice to publish is put beside it, as .txt."),
    ] = Path("commitment.json"),
    key: Key = None,
    amends: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The commitment that this one amends; it stays in the chain.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is amended.")] = "",
    seal: Annotated[
        Path | None,
        typer.Option(
            "--seal-weights", metavar="FILE", help="Seal the panel's weights; FILE is made and opens them (mode 600)."
        ),
    ] = None,
    rehearsal: Annotated[
        bool,
        typer.Option("--rehearsal", metavar="", help="Try out the procedure: the window may have opened already."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bind the rules before the window: methodology, organizations, panel weights, scenarios, versions.

    They are brought into one canonical form, digested and signed. Publish the digest before the window opens,
    in a place where you cannot change it. Incidents need not be there yet. Once the window has opened it refuses.

    Example: `violencescore commit my-assessment --out commitment.json`
    """
    from violencescore.assessment import read_choices
    from violencescore.output import write_file
    from violencescore.publication import commitment, panelists
    from violencescore.publication.canonical import canonical
    from violencescore.publication.keys import write_secret
    from violencescore.publication.notice import notice

    choices = read_choices(folder)
    chain = () if amends is None else read_commitment(amends)
    _require_new(out, out.with_suffix(".txt"), *([] if seal is None else [seal]))
    secrets = None
    if seal is None:
        panel = panelists.open_panel(choices)
    else:
        panel, secrets = panelists.seal_panel(choices)
    made = commitment.commit(choices, signing_key(key), previous=chain, reason=reason, panel=panel, rehearsal=rehearsal)
    text = notice(made)
    if seal is not None:
        write_secret(seal, canonical(secrets) + b"\n")
    try:
        write_file(out, commitment.chain_bytes(made), new=True)
        write_file(out.with_suffix(".txt"), text.encode(), new=True)
    except BaseException:
        if seal is not None:
            seal.unlink(missing_ok=True)
        raise
    last = made[-1]
    if as_json:
        found = {"commitment": str(out), "sha256": last.sha256, "signature": last.signature}
        terminal.print_json({**found, **{k: last.statement[k] for k in ("number", "committed_at", "public_key")}})
        return
    terminal.screen().print(text, markup=False, highlight=False, soft_wrap=True)
    terminal.print_line(f"Commitment: {out}. To publish now: {out.with_suffix('.txt')}")


@app.command(rich_help_panel=_PUBLIC)
def publish(
    run: RunFolder,
    commitment: Annotated[
        Path, typer.Option(metavar="FILE", help="The commitment that the run followed, as `commit` wrote it.")
    ],
    out: Annotated[Path, typer.Option(metavar="BUNDLE", help="Bundle to make, a folder; must not exist, or be empty.")],
    key: Key = None,
    level: Annotated[
        str, typer.Option(metavar="LEVEL", help="What is told of the inputs: full, coarsened or aggregate.")
    ] = "aggregate",
    assessment: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The assessment of the run, from which inputs are disclosed.")
    ] = None,
    secrets: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What opens sealed panel weights; their pool is published.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="results.json of `calibrate`, to be enclosed.")
    ] = None,
    unexamined: Annotated[
        bool,
        typer.Option(
            "--unexamined", metavar="", help="Publish that nobody is named, as required margins were not examined."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a signed bundle: announcement (English, Spanish), tables, decision, draws, methodology, commitment.

    It refuses a run that did not use what was committed: rules, organizations, weights, seed, draws, versions. At the
    level `full` the tables are published as they are; `coarsened` gives incidents by region and week, under new ids;
    `aggregate` gives totals only. Where the methodology requires margins, the bundle holds what `robustness` found of
    them, and no more of the passport.

    Example: `violencescore publish my-run --commitment commitment.json --out my-bundle`
    """
    from violencescore.output import require_free
    from violencescore.publication.canonical import read_object
    from violencescore.publication.disclosure import LEVELS
    from violencescore.publication.keys import read_secret
    from violencescore.publication.publish import Disclosed
    from violencescore.publication.publish import publish as write_bundle
    from violencescore.runs import load_run

    chosen = next((known for known in LEVELS if known == level), None)
    if chosen is None:
        raise InputError([Fault("--level", f"is none of {', '.join(LEVELS)}", value=level)])
    require_free(out)
    chain = read_commitment(commitment)
    opened = None if secrets is None else read_object(read_secret(secrets), str(secrets))
    enclosed = None if calibration is None else read_object(_content(calibration), str(calibration))
    loaded, own = load_run(run), signing_key(key, make=False)
    with interruptible() as check, show_progress(terminal.errors()) as show:

        def refit(coarse: Assessment, methodology: Methodology, weights: DataArray) -> Mapping[str, Any]:
            from violencescore.publication.refit import coarsening_effect

            return coarsening_effect(coarse, methodology, weights, checked(check, show))

        def explain(tables: Assessment, incident_ids: Sequence[str]) -> Mapping[str, Any]:
            from violencescore.bench.waterfall import waterfalls_json
            from violencescore.design import build_design

            posterior = loaded.posterior["posterior"].to_dataset()
            return waterfalls_json(build_design(tables), posterior, incident_ids)

        disclosed = Disclosed(chosen, assessment, refit, explain)
        files = write_bundle(
            loaded, chain, own, out, disclosed, calibration=enclosed, opened=opened, unexamined=unexamined
        )
    if as_json:
        terminal.print_json({"bundle": str(out), "commitment": chain[-1].sha256, "files": sorted(files)})
        return
    terminal.screen().print(files["announcement.en.txt"].decode(), markup=False, highlight=False, soft_wrap=True)
    terminal.print_line(f"Bundle: {out}. Next: violencescore verify {out}")


@app.command(rich_help_panel=_PUBLIC)
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle to check: a folder, or a zip of it.")],
    commitment: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="Digest of the commitment as published before the window, or its file."),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="HEX", help="The panel's public key, as it was published.")] = None,
    refit: Annotated[
        bool,
        typer.Option("--refit", metavar="", help="Fit the enclosed inputs again, too, and compare (takes as a fit)."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a bundle: signatures, digests, commitment and dates; every table and claim recomputed from the draws.

    No sampler is needed, unless --refit is said: then the enclosed inputs are fitted again with another seed, and
    compared within Monte-Carlo error (equal draws cannot be had on another machine). Each check says in words what
    passed, failed, or can only be checked from outside; a failure ends with exit status 3.

    Example: `violencescore verify my-bundle --commitment 631371587aeb...`
    """
    from violencescore.publication.bundle import read_bundle
    from violencescore.publication.verify import has_passed
    from violencescore.publication.verify import verify as check_bundle

    files = read_bundle(bundle)
    checks = check_bundle(files, published=_published(commitment), key=key)
    if refit and has_passed(checks):
        with interruptible() as check, show_progress(terminal.errors()) as show:
            from violencescore.publication.refit import check_refit

            checks = (*checks, *check_refit(files, checked(check, show)))
    passed = has_passed(checks)
    if as_json:
        terminal.print_json({"bundle": str(bundle), "passed": passed, "checks": list(map(vars, checks))})
    else:
        print_checks(checks, "bundle")
    if not passed:
        raise typer.Exit(REFUSED)


_SIGNS = {"pass": "passed   ", "fail": "FAILED   ", "unchecked": "unchecked"}


def print_checks(checks: Sequence[Check], what: str) -> None:
    """Print what was checked, and how it went."""
    for check in checks:
        terminal.print_line(f"{_SIGNS[check.status]}  {check.name}", style="bold" if check.status == "fail" else "")
        for detail in check.details:
            terminal.print_line(f"           - {detail}", style="dim")
    found = [check.status for check in checks]
    terminal.print_line(
        f"{found.count('pass')} passed, {found.count('fail')} failed, {found.count('unchecked')} cannot be checked "
        f"from the {what} alone."
    )


def _published(given: str | None) -> str | None:
    """Return the digest that is given, or that of the file that is named."""
    if given is None or re.fullmatch("[0-9a-fA-F]{64}", given):
        return given
    if not Path(given).exists():
        rule = "is neither a digest (64 hexadecimal digits) nor a commitment file"
        raise InputError([Fault("--commitment", rule, value=given)])
    return read_commitment(Path(given))[-1].sha256


def read_commitment(path: Path) -> tuple[Commitment, ...]:
    """Read a commitment file whose chain holds.

    Raises
    ------
    InputError
        If it cannot be read, or is not what was signed: with everything that is wrong with it.
    """
    from violencescore.publication.commitment import chain_faults, read_chain

    chain = read_chain(_content(path), str(path))
    if faults := chain_faults(chain):
        raise InputError([Fault(str(path), fault.rstrip(".")) for fault in faults])
    return chain


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be read ({error.strerror})")]) from error


def signing_key(path: Path | None, *, make: bool = True) -> Ed25519PrivateKey:
    """Return the key that is named, or the user's own; where there is none yet it is made, or asked for."""
    from violencescore.publication.keys import default_key_path, load_key, make_key

    own = default_key_path()
    if path is not None or own.exists() or not make:
        return load_key(path or own)
    terminal.errors().print(f"Made a signing key: {own}", markup=False, soft_wrap=True)
    return make_key(own)


def _require_new(*paths: Path) -> None:
    rule = "exists already, and is not overwritten; choose another name, or remove it first"
    if faults := [Fault(str(path), rule) for path in paths if path.exists() or path.is_symlink()]:
        raise InputError(faults)
