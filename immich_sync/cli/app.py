# ruff: noqa: FBT001, FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""The commands gathered, and how they end: with an exit code and at most one sentence.

Its own module because no command should have to think about tracebacks, broken pipes or codes.
"""

import gc
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from immich_sync.cli import (
    asking,
    examining,
    fetching,
    looking,
    one_shot,
    running,
    state,
    telling,
    trying,
    undoing,
)
from immich_sync.core.errors import (
    Misconfigured,
    NotImmich,
    Refused,
    SyncTrouble,
    Untrusted,
)

FAILED, WRONG, REFUSED, INTERRUPTED = 1, 2, 3, 130
"""Exit codes beside 0."""

app = typer.Typer(
    name="immich-sync",
    help="Every photo and video of your folders in Immich: once, whole, proved, in its album.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # importing rich would cost the help more than all the rest
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    running, trying, one_shot, fetching, looking, examining, asking, undoing, state, telling,
):  # fmt: skip
    group.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from immich_sync.version import VERSION

        typer.echo(f"immich-sync {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """What may stand before any command."""
    del version  # its callback has seen to it


def main() -> None:
    """Run the command line; ends the process."""
    # What imports make stays: to look through it at every 700 objects is a tenth of the start.
    gc.set_threshold(10_000)
    _open_what_is_closed()
    code = _run()
    try:
        sys.stdout.flush()
    except OSError:  # who read us is gone: nothing is left to be said
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Input, output and error are there, if only as /dev/null.

    A starter may have closed them; what we open next would get their numbers, and their words.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            lowest = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(lowest, mode, closefd=False))


def _run() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseExceptionGroup as group:
        return _explain(_first(group))
    except Exception as error:  # noqa: BLE001 -- nobody is to see a traceback who did not ask
        return _explain(error)
    return 0


def _first(error: BaseException) -> BaseException:
    """What went wrong first, without the task groups around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explain(error: BaseException) -> int:
    """Say it in one sentence; the exit code."""
    if isinstance(error, BrokenPipeError):
        return FAILED
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if os.environ.get("IMMICH_SYNC_DEBUG"):
        import traceback

        traceback.print_exception(error)
    match error:
        case Misconfigured():
            sentence, code = str(error), WRONG
        case Refused() | NotImmich() | Untrusted():
            sentence, code = str(error), REFUSED
        case SyncTrouble() | asking.Unanswered():
            sentence, code = str(error), FAILED
        case _:
            hint = "set IMMICH_SYNC_DEBUG=1 to see where, and please report it"
            sentence, code = f"Unexpected {type(error).__name__}; {hint}.", FAILED
    with suppress(OSError):
        print(f"immich-sync: {sentence}", file=sys.stderr)  # noqa: T201 -- this is the place
    return code
