"""The commands towards the public: bind the rules, publish a run, check what was published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from violencescore.commands import AsJson, Folder, app
from violencescore.errors import Fault, InputError
from violencescore.report import terminal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from violencescore.publication.commitment import Commitment

_PUBLIC = "To the public, and back"

Key = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Signing key; by default your own, which is made the first time."),
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
        Path, typer.Option(metavar="FILE", help="Commitment file to make; its digest stands in FILE's .txt.")
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
    if seal is not None:
        write_secret(seal, canonical(secrets) + b"\n")
    write_file(out, commitment.chain_bytes(made), new=True)
    text = notice(made)
    write_file(out.with_suffix(".txt"), text.encode(), new=True)
    last = made[-1]
    if as_json:
        found = {"commitment": str(out), "sha256": last.sha256, "signature": last.signature}
        terminal.print_json({**found, **{k: last.statement[k] for k in ("number", "committed_at", "public_key")}})
        return
    terminal.screen().print(text, markup=False, highlight=False, soft_wrap=True)
    terminal.print_line(f"Commitment: {out}. To publish now: {out.with_suffix('.txt')}")


def read_commitment(path: Path) -> tuple[Commitment, ...]:
    """Read a commitment file whose chain holds.

    Raises
    ------
    InputError
        If it cannot be read, or is not what was signed: with everything that is wrong with it.
    """
    from violencescore.publication.commitment import chain_faults, read_chain

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be read ({error.strerror})")]) from error
    chain = read_chain(content, str(path))
    if faults := chain_faults(chain):
        raise InputError([Fault(str(path), fault.rstrip(".")) for fault in faults])
    return chain


def signing_key(path: Path | None) -> Ed25519PrivateKey:
    """Return the key that is named, or the user's own, which is made if there is none."""
    from violencescore.publication.keys import default_key_path, load_key, make_key

    if path is not None:
        return load_key(path)
    own = default_key_path()
    if own.exists():
        return load_key(own)
    terminal.errors().print(f"Made a signing key: {own}", markup=False, soft_wrap=True)
    return make_key(own)


def _require_new(*paths: Path) -> None:
    rule = "exists already, and is not overwritten; choose another name, or remove it first"
    if faults := [Fault(str(path), rule) for path in paths if path.exists() or path.is_symlink()]:
        raise InputError(faults)
