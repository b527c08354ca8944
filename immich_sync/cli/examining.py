# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`verify`: whether all is in Immich, by the disk, the ledger and the server.

Its own module because it looks and asks, with or without a daemon, and changes nothing.
"""

import os
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from immich_sync.cli.options import Config, Json, logging_for, print_json, setup_from

if TYPE_CHECKING:
    from immich_sync.core.folder import Setup


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(verify)


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
    """Ask the server for every photo here; ends with 0 if all are there, else 1."""
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
