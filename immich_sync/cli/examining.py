# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`explain`, `verify`, `doctor`: one file, all of them, and what could keep them from being synced.

Its own module because these look and ask, with or without a daemon, and change nothing.
"""

import os
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from immich_sync.cli.options import Config, Json, logging_for, print_json, setup_from

if TYPE_CHECKING:
    from immich_sync.core.explanation import Live
    from immich_sync.core.folder import Setup


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (explain, verify, doctor):
        app.command()(command)


def explain(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A file; it need not be there any more.")
    ],
    config: Config = None,
    json: Json = False,
) -> None:
    """Show all that is known of one file, and what comes next.

    Its rule, its facts and its errors.
    """
    import time

    from immich_sync import explaining

    setup = setup_from(config)
    wanted = os.path.abspath(path)  # noqa: PTH100 -- Path resolves the name too
    now = time.time()
    found = explaining.explain(setup, os.fsencode(wanted), now=now, live=_live(setup, wanted))
    if json:
        print_json(found)
    else:
        from immich_sync.cli.screens.explanation import lines

        for line in lines(found, now):
            typer.echo(line)


def _live(setup: "Setup", path: str) -> "Live | None":
    """What a running daemon knows of the path beside the state; None if none runs."""
    from pathlib import Path

    from immich_sync import control
    from immich_sync.core.explanation import Live
    from immich_sync.explaining import owner

    found = owner(setup, os.fsencode(path))
    if found is None:
        return None
    folder, relative = found
    request = control.Request("explain", (os.fsdecode(folder.root.rstrip(b"/") + b"/" + relative),))
    try:
        answer = control.ask(Path(setup.state) / control.SOCKET, request)
        return Live(**answer) if isinstance(answer, dict) else None
    except (control.NoDaemon, control.Declined, TypeError):  # TypeError: another version's words
        return None


def verify(
    folder: Annotated[
        str | None,
        typer.Argument(metavar="FOLDER", help="A folder's name or path; else all of them."),
    ] = None,
    rehash: Annotated[
        bool,
        typer.Option("--rehash", help="Read every file again: finds bytes that changed unseen."),
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Ask the server whether every photo here is in Immich.

    Ends with 0 if all are there, else 1.
    """
    import anyio

    from immich_sync import verifying
    from immich_sync.progress import showing

    setup = _only(setup_from(config), folder)
    with (
        logging_for(setup, quiet=True),
        showing("Verifying", wanted=sys.stderr.isatty()) as progress,
    ):
        found = anyio.run(partial(verifying.verify, setup, rehash=rehash, progress=progress))
    if json:
        print_json(found)
    else:
        from immich_sync.cli.screens.verification import lines

        for line in lines(found):
            typer.echo(line)
    if not found.complete:
        raise typer.Exit(1)


def doctor(config: Config = None, json: Json = False) -> None:
    """Look for what could keep photos from being synced.

    At configuration, key, server, way, disks and limits; ends with 1 on any error.
    """
    import anyio

    from immich_sync import doctor as office
    from immich_sync.core.errors import Misconfigured

    try:
        setup = setup_from(config)
    except Misconfigured as trouble:
        found = office.misconfigured(trouble)
    else:
        with logging_for(setup, quiet=True):
            found = anyio.run(office.examine, setup)
    if json:
        print_json(found)
    else:
        from immich_sync.cli.screens.examination import lines

        for line in lines(found):
            typer.echo(line)
    if not found.healthy:
        raise typer.Exit(1)


def _only(setup: "Setup", name: str | None) -> "Setup":
    """The setup with only the folder that `name` or a path stands for. Raises Misconfigured."""
    from immich_sync.core.errors import Misconfigured

    if name is None:
        return setup
    root = os.fsencode(os.path.realpath(name))
    folders = tuple(one for one in setup.folders if name == one.name or root == one.root)
    if not folders:
        known = ", ".join(one.name for one in setup.folders)
        raise Misconfigured(f"There is no folder {name!r}; there are: {known}.")
    return replace(setup, folders=folders)
