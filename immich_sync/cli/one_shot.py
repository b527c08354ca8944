# ruff: noqa: FBT002, PLC0415 -- typer makes flags of parameters that are true or false;
#     and `--help` must not import what only a command needs
"""`upload`: paths given by hand, once.

Its own module because it is the library's API on the command line, and needs no daemon.
"""

import os
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from immich_sync.cli.options import Config, Json, logging_for, setup_from
from immich_sync.cli.screens import words

if TYPE_CHECKING:
    from immich_sync.results import UploadResult


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(upload)


def upload(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files, and folders with all below them.")
    ],
    album_name: Annotated[
        str | None,
        typer.Option("--album-name", "-A", metavar="NAME", help="Put everything into this album."),
    ] = None,
    album: Annotated[
        bool, typer.Option("--album", "-a", help="Put each file into an album named as its folder.")
    ] = False,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="Uploads at once.")
    ] = 5,
    config: Config = None,
    json: Json = False,
) -> None:
    """Upload files and folders once; ends with 1 if any of them failed."""
    if album and album_name is not None:
        raise typer.BadParameter("choose --album or --album-name", param_hint="--album")
    import anyio

    setup = setup_from(config, folders=False)

    async def run() -> "UploadResult":
        from immich_sync.assets import AssetsApi

        account = setup.accounts[0]
        async with AssetsApi(account.url, account.api_key.reveal(), state=setup.state) as assets:
            return await assets.upload(
                paths,
                album_name=album_name,
                album=album,
                concurrency=concurrency,
                show_progress=not json,
            )

    with logging_for(setup, quiet=True):
        result = anyio.run(run)
    if json:
        # pydantic's own JSON has no place for names that are no UTF-8.
        typer.echo(dumps(result.model_dump(), indent=2, default=str))
    else:
        _say(result)
    if result.failed:
        raise typer.Exit(1)


def _say(result: "UploadResult") -> None:
    from immich_sync.core.naming import shown

    stats = result.stats
    for failure in result.failed:
        typer.echo(f"failed: {shown(os.fsencode(failure.filepath))}: {failure.error}", err=True)
    for name, number in sorted(result.ignored.items()):
        typer.echo(f"ignored: {number:,} ({name})", err=True)
    typer.echo(
        f"{words.count(stats.uploaded, 'file')} uploaded, {stats.rejected:,} already in Immich, "
        f"{stats.failed:,} failed."
    )
