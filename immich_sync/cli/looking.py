# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`status`: how things stand, from the daemon or, without one, from its state.

Its own module because it works whether or not a daemon runs.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from immich_sync.cli.asking import Unanswered, socket_of
from immich_sync.cli.options import Config, Json, print_json, setup_from

if TYPE_CHECKING:
    from pathlib import Path

    from immich_sync.core.status import Status

CHECK_PATIENCE = 5.0
"""Seconds in which a daemon that is well answers; it knows within `pulse.ALIVE_WITHIN`."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(status)


def status(
    config: Config = None,
    json: Json = False,
    check: Annotated[
        bool, typer.Option("--check", help="Say nothing; end with 0 if the daemon is well, else 1.")
    ] = False,
) -> None:
    """Show what is synced, what is under way, and what needs you."""
    if check:
        _check(config)
        return
    found = _status(config)
    if json:
        print_json(found)
    else:
        from immich_sync.cli.screens.status import show

        show(found, "" if found.daemon else _at_rest(config))


def _at_rest(config: "Path | None") -> str:
    """Where no daemon runs, and what the screen shows then."""
    from immich_sync.store.database import STATE_FILE

    state = socket_of(config).parent
    if (state / STATE_FILE).exists():
        return f" on the state folder {state}; this is what its state says."
    return f" on the state folder {state}, and none ever has: there is no state yet."


def _check(config: "Path | None") -> None:
    """A server that is down and a slow line are healthy; a daemon that is gone or stuck is not."""
    from immich_sync import control

    try:
        control.ask(socket_of(config), control.Request("alive"), CHECK_PATIENCE)
    except (control.NoDaemon, control.Declined) as error:
        typer.echo(f"immich-sync: {error}", err=True)
        raise typer.Exit(1) from None


def _status(config: "Path | None") -> "Status":
    """The daemon's word; without a daemon, its state's."""
    from immich_sync import control

    try:
        return revived(control.ask(socket_of(config), control.Request("status")))
    except control.NoDaemon:
        import time

        from immich_sync.status import read

        return read(setup_from(config), time.time())
    except control.Declined as error:
        raise Unanswered(str(error)) from None


def revived(said: Any) -> "Status":  # noqa: ANN401 -- JSON; its shape is what is found out here
    """The Status that came as JSON. Raises Unanswered if it is none of this version's."""
    from immich_sync.core import status

    try:
        return status.Status(
            daemon=None if said["daemon"] is None else status.DaemonStatus(**said["daemon"]),
            server=status.ServerStatus(**said["server"]),
            servers=tuple(status.ServerStatus(**one) for one in said["servers"]),
            jobs=status.JobsStatus(**said["jobs"]),
            folders=tuple(status.FolderStatus(**one) for one in said["folders"]),
            problems=tuple(status.Problem(**one) for one in said["problems"]),
        )
    except (KeyError, TypeError):
        raise Unanswered(
            "The daemon answers in other words than these: it runs another version; restart it."
        ) from None
