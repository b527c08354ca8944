# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`run`: the daemon, one pass of it, or what it would do.

Its own module because this is the command that everything else is about.
"""

import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from immich_sync.cli.options import Config, logging_for, print_json, seconds, setup_from

if TYPE_CHECKING:
    from immich_sync.core.folder import Setup


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)


def run(
    config: Config = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Sync all that is there, then end: 0, or 1 if not all is in. A file that is not"
            " whole and moves no more is named, not waited for.",
        ),
    ] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="With --once: give up after so many seconds, or 10m."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON (with --dry-run).")
    ] = False,
) -> None:
    """Watch the folders and sync every photo and video in them.

    It runs until it is stopped.
    """
    if timeout is not None and not once:
        raise typer.BadParameter("it needs --once", param_hint="--timeout")
    if json and not dry_run:
        raise typer.BadParameter("it needs --dry-run", param_hint="--json")
    if once and dry_run:
        raise typer.BadParameter("it cannot go with --once", param_hint="--dry-run")
    if os.getpid() == 1:
        # Others just end if they are stopped before they heed it. Of the first process of a
        # container the kernel drops what it neither blocks nor handles: see pid_namespaces(7).
        how = signal.SIG_UNBLOCK if dry_run else signal.SIG_BLOCK
        signal.pthread_sigmask(how, (signal.SIGTERM, signal.SIGINT))
    if not (once or dry_run):  # asked to reload before it can: then as soon as it can
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    import anyio

    limit = seconds("--timeout", timeout)
    setup = setup_from(config)
    if not dry_run:
        from immich_sync import daemon

        with logging_for(setup) as outlet:

            def reread() -> "Setup":
                found = setup_from(config)
                outlet.hide(found.secrets)
                return found

            again = None if once else reread
            running = partial(daemon.run, setup, once=once, within=limit, reread=again)
            raise typer.Exit(anyio.run(running))
    from immich_sync import rehearsal

    _warn_of_open_keys(setup)
    with logging_for(setup, quiet=True):
        rehearsed = anyio.run(rehearsal.rehearse, setup)
    if json:
        print_json(rehearsed)
    else:
        from immich_sync.cli.screens.rehearsal import lines

        for line in lines(rehearsed):
            typer.echo(line)


def _warn_of_open_keys(setup: "Setup") -> None:
    """A dry run logs nothing; what `run` warns of is said all the same."""
    from immich_sync.filesystem.allowances import is_for_all_to_read

    for file in dict.fromkeys(account.key_file for account in setup.accounts):
        if file and is_for_all_to_read(file):
            typer.echo(f"warning: everybody can read the API key: chmod 600 {file}", err=True)
