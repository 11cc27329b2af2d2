"""The command line: runs a command and turns every expected failure into its exit status."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NoReturn

import typer

from violencescore import calibrating, listing_commands, publishing, weighting  # noqa: F401 (importing them is what registers the commands)
from violencescore.commands import REFUSED, app
from violencescore.errors import Fault, InputError, RefusedError
from violencescore.report import terminal
from violencescore.workbench_commands import attribution, scenarios  # noqa: F401 (importing them is what registers the commands)

BAD_INPUT, INTERRUPTED = 2, 130


def main() -> NoReturn:
    """Run the command line; every expected failure ends with its exit status and no traceback."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what a library has to say to programmers is no message to a panel
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows ?, and goes on
    status = run(sys.argv[1:])
    if status == INTERRUPTED:
        # The sampler's own threads may still run, and would crash if the interpreter were taken down around them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status.

    In JSON mode faults go to standard output as ``{"faults": [...]}``, and a refusal as ``{"refused": "..."}``.
    """
    as_json = "--json" in arguments
    # The base of all usage errors, which typer does not export under a name of its own.
    usage_error = typer.BadParameter.__mro__[1]
    try:
        status = app(list(arguments), prog_name="violencescore", standalone_mode=False)
    except InputError as error:
        _say_faults(error.faults, as_json, arguments)
        return BAD_INPUT
    except RefusedError as error:
        if as_json:
            terminal.print_json({"refused": str(error)})
        else:
            terminal.errors().print(f"Refused: {error}", markup=False)
        return REFUSED
    except Exception as error:
        if not isinstance(error, usage_error):
            raise
        _say_usage(error, as_json, arguments)
        return BAD_INPUT
    if status == INTERRUPTED:
        terminal.errors().print("Interrupted: nothing was written.")
    return status if isinstance(status, int) else 0


def _say_faults(faults: Sequence[Fault], as_json: bool, arguments: Sequence[str]) -> None:
    if as_json:
        answer = {"valid": False} if arguments[0] == "validate" else {}
        terminal.print_json({**answer, "faults": [asdict(fault) for fault in faults]})
    else:
        terminal.print_faults(faults)


def _say_usage(error: Any, as_json: bool, arguments: Sequence[str]) -> None:
    """Tell what is wrong with the command as it was typed."""
    if as_json:
        _say_faults([Fault("command line", error.format_message().rstrip("."))], as_json, arguments)
        return
    from typer.rich_utils import rich_format_error

    rich_format_error(error)
