# ruff: noqa: PLC0415 -- `--help` must not import what only a command needs
"""`undo`: what cleanup took comes back.

Its own module because it works with and without a daemon.
"""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from immich_sync.cli.asking import Unanswered, socket_of
from immich_sync.cli.options import Config, Json, logging_for, print_json, setup_from
from immich_sync.cli.screens import words

if TYPE_CHECKING:
    from pathlib import Path

    from immich_sync.undoing import Undone

PATIENCE = 3600.0
"""Seconds for the daemon to bring it all back: from another file system, every byte is copied."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(undo)


def undo(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH…", help="Files, where they lay, or folders."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Only what was cleaned away lately: 2d, 6h."),
    ] = None,
    config: Config = None,
    json: Json = False,  # noqa: FBT002 -- typer makes flags of parameters that are true or false
) -> None:
    """Bring back what a cleanup took out of a folder.

    It is not cleaned again.
    """
    import time

    from immich_sync.cli.options import seconds

    span = seconds("--since", since)
    if not paths and span is None:
        raise typer.BadParameter("name paths, or give --since", param_hint="PATH")
    began = None if span is None else time.time() - span
    wanted = tuple(os.path.abspath(path) for path in paths or ())  # noqa: PTH100 -- they may be gone
    told = _undone(config, wanted, began)
    back = [one for one in told if one.back]
    if json:
        print_json(told)
    else:
        for one in told:
            typer.echo(f"{one.path}" if one.back else f"not back: {one.path}\n    {one.note}")
        typer.echo(f"{words.count(len(back), 'file')} brought back.")
    if len(back) < len(told):
        raise typer.Exit(1)


def _undone(config: "Path | None", paths: tuple[str, ...], since: float | None) -> "list[Undone]":
    from immich_sync import control

    request = control.Request("undo", tuple(map(_real, paths)) or None, since=since)
    try:
        return _revived(control.ask(socket_of(config), request, PATIENCE))
    except control.NoDaemon:
        import anyio

        from immich_sync.undoing import Wish, undo_alone

        setup = setup_from(config)
        wish = Wish(tuple(os.fsencode(path) for path in request.paths or ()), since)
        with logging_for(setup, quiet=True):
            return anyio.run(undo_alone, setup, wish)
    except control.Declined as error:
        raise Unanswered(str(error)) from None


def _revived(said: Any) -> "list[Undone]":  # noqa: ANN401 -- JSON; its shape is what is found out here
    from immich_sync.undoing import Undone

    try:
        return [Undone(**one) for one in said]
    except TypeError:
        raise Unanswered("The daemon answers in other words than these; restart it.") from None


def _real(path: str) -> str:
    """The path without links on the way to its last name; what is gone stays as it is said."""
    parent, name = os.path.split(path)
    return os.path.join(os.path.realpath(parent), name)  # noqa: PTH118 -- bytes of names are kept
