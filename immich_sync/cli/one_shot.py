# ruff: noqa: FBT002, PLC0415, PLR0913, PLR0917 -- typer makes options of parameters, and flags of
#     those that are true or false; `--help` must not import what only a command needs
"""`upload`: paths given by hand, once.

Its own module because it is the library's API on the command line, and needs no daemon. The
official CLI's spellings are taken as well, so that scripts written for it need no change.
"""

import os
from json import dumps
from typing import TYPE_CHECKING, Annotated

import typer

from immich_sync.cli.options import Config, account_from, logging_for
from immich_sync.cli.screens import words

if TYPE_CHECKING:
    from immich_sync.results import FailedEntry, UploadResult


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(upload)


def upload(
    paths: Annotated[
        # No Path: that would make the current folder of an empty word, such as an unset variable.
        list[str],
        typer.Argument(metavar="PATH…", help="Files, and folders with all below them."),
    ],
    album_name: Annotated[
        str | None,
        typer.Option("--album-name", "-A", metavar="NAME", help="Put everything into this album."),
    ] = None,
    album: Annotated[
        bool, typer.Option("--album", "-a", help="Put each file into an album named as its folder.")
    ] = False,
    ignore_pattern: Annotated[
        str | None,
        typer.Option(
            "--ignore-pattern",
            "--ignore",
            "-i",
            metavar="PATTERN",
            help="Pass over paths with this end, * and ? allowed: '.tmp', '/raw/*'.",
        ),
    ] = None,
    gitignore: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Pass over what this gitignore pattern matches."),
    ] = None,
    include_hidden: Annotated[
        bool, typer.Option("--include-hidden", "-H", help="Take hidden files and folders too.")
    ] = False,
    skip_duplicates: Annotated[
        bool,
        typer.Option(
            "--skip-duplicates",
            "--skip-hash",
            help="Do not ask for duplicates first; the server still finds them.",
        ),
    ] = False,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="Uploads at once.")
    ] = 5,
    retries: Annotated[
        int, typer.Option(min=1, help="How often a file is tried while trouble may pass.")
    ] = 3,
    delete_uploads: Annotated[
        bool,
        typer.Option(
            "--delete-uploads",
            "--delete",
            help="Delete from the disk what was uploaded, once Immich has proved to have it.",
        ),
    ] = False,
    delete_duplicates: Annotated[
        bool,
        typer.Option(
            "--delete-duplicates",
            help="Delete from the disk what Immich had already, likewise proved.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Read and ask only; change nothing anywhere.")
    ] = False,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another account of the configuration.")
    ] = None,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress.")] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Is always so; for scripts that say it.")
    ] = False,
    config: Config = None,
    json: Annotated[
        bool, typer.Option("--json", "--json-output", "-j", help="Print the result as JSON.")
    ] = False,
) -> None:
    """Upload files and folders once.

    Ends with 1 if any of them failed, or is named outright and no photo or video.
    """
    del recursive
    if album and album_name is not None:
        raise typer.BadParameter("choose --album or --album-name", param_hint="--album")
    import anyio

    from immich_sync.core.errors import Misconfigured

    setup = account_from(config, account)
    server = setup.accounts[0]

    async def run() -> "UploadResult":
        from immich_sync.assets import AssetsApi

        async with AssetsApi(
            server.url, server.api_key.reveal(), state=setup.state, limits=setup.limits
        ) as assets:
            return await assets.upload(
                paths,
                ignore_pattern=ignore_pattern,
                ignore=gitignore or (),
                include_hidden=include_hidden,
                skip_duplicates=skip_duplicates,
                concurrency=concurrency,
                retries=retries,
                show_progress=not (json or no_progress),
                album_name=album_name,
                album=album,
                delete_uploads=delete_uploads,
                delete_duplicates=delete_duplicates,
                dry_run=dry_run,
            )

    with logging_for(setup, quiet=True):
        try:
            result = anyio.run(run)
        except ValueError as error:
            raise Misconfigured(f"{error}.") from None
    if json:
        # pydantic's own JSON has no place for names that are no UTF-8.
        typer.echo(dumps(result.model_dump(), indent=2, default=str))
    else:
        _say(result, dry_run=dry_run)
    unsupported = sum(entry.reason == "unsupported_format" for entry in result.rejected)
    # `upload *` may well meet a text beside photos; to have named nothing else is a mistake.
    if result.failed or result.kept or (unsupported and unsupported == result.stats.total):
        raise typer.Exit(1)


def _say(result: "UploadResult", *, dry_run: bool) -> None:
    from immich_sync.core.naming import shown
    from immich_sync.filesystem.disk import LINK

    stats = result.stats
    _list("failed", result.failed)
    _list("kept", result.kept)
    unsupported = [one for one in result.rejected if one.reason == "unsupported_format"]
    for one in unsupported:
        path = shown(os.fsencode(one.filepath))
        typer.echo(f"not uploaded: {path}: no photo or video that Immich takes", err=True)
    for name, number in result.ignored.items():
        hint = "; name what they lead to" if name == LINK else ""
        typer.echo(f"ignored: {number:,} ({name}{hint})", err=True)
    trashed = sum(entry.is_trashed for entry in result.rejected)
    done = "to be uploaded" if dry_run else "uploaded"
    sentence = (
        f"{words.count(stats.uploaded, 'file')} {done},"
        f" {stats.rejected - len(unsupported):,} already in Immich"
        f"{f' ({trashed:,} in its trash)' if trashed else ''}, {stats.failed:,} failed."
    )
    if back := sum(entry.was_removed for entry in result.uploaded):
        sentence += f" Of these, {words.count(back, 'file')} had been removed from Immich before."
    if result.deleted:
        sentence += f" {words.count(len(result.deleted), 'file')} deleted from the disk."
    typer.echo(sentence)


def _list(word: str, entries: "list[FailedEntry]") -> None:
    from immich_sync.core.naming import shown

    for entry in entries:
        typer.echo(f"{word}: {shown(os.fsencode(entry.filepath))}: {entry.error}", err=True)
