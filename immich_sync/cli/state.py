# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`state backup`, `state restore`, `state check`: what has been learnt, kept and put back.

Its own module because these are about the state folder alone: no server is asked, and neither key
nor watched folders need be there.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from immich_sync.cli.options import Config, Json, print_json


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        name="state",
        help="Back up, restore or check what has been learnt.",
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (backup, restore, check):
        group.command()(command)
    app.add_typer(group)


def backup(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The file to make, or a folder to make it in.")
    ],
    config: Config = None,
    json: Json = False,
) -> None:
    """Write state and tombstones into one new file.

    Whether or not a daemon runs.
    """
    import time

    from immich_sync.cli.screens.keeping import backed_up
    from immich_sync.core.errors import Misconfigured
    from immich_sync.store.backup import write_backup
    from immich_sync.version import VERSION

    target = Path(path).absolute()
    if path.endswith("/") and not target.is_dir():
        raise Misconfigured(f"There is no such folder: {path}")
    kept = write_backup(_folder(config), target, now=time.time(), version=VERSION)
    _say(kept, backed_up(kept), json=json)


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A backup that `backup` made.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Put a backup back; no daemon may run. What is there now is kept beside it."""
    import time

    from immich_sync.cli.screens.keeping import restored
    from immich_sync.store.restoring import restore as put_back

    found = put_back(_folder(config), path.absolute(), now=time.time())
    _say(found, restored(found), json=json)


def check(config: Config = None, json: Json = False) -> None:
    """Read all of the state and change nothing.

    Ends with 0 if it is sound, else 1.
    """
    from immich_sync.cli.screens.keeping import checked
    from immich_sync.core.keeping import judged
    from immich_sync.store.migrations import STEPS
    from immich_sync.store.soundness import look

    found = judged(look(_folder(config)), [step.__name__ for step in STEPS])
    _say(found, checked(found), json=json)
    if not found.sound:
        raise typer.Exit(1)


def _folder(config: Path | None) -> Path:
    from immich_sync.config import load
    from immich_sync.config.resolve import state_folder

    return Path(state_folder(load(config)))


def _say(found: object, lines: Iterable[str], *, json: bool) -> None:
    if json:
        print_json(found)
    else:
        for line in lines:
            typer.echo(line)
