# ruff: noqa: FBT002, PLC0415, PLR0913, PLR0917 -- typer makes options of parameters, and flags of
#     those that are true or false; `--help` must not import what only a command needs
"""`download`, `view`, `play`, `archive`: assets from Immich onto the disk.

Its own module because it is the library's downloads on the command line, and needs no daemon.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast
from uuid import UUID

import typer

from immich_sync.cli import ids as naming
from immich_sync.cli.links import Key, PasswordFile, Slug, password_of
from immich_sync.cli.options import Config, Json, account_from, logging_for
from immich_sync.cli.screens import words

if TYPE_CHECKING:
    from immich_sync.assets import AssetsApi, OnExists
    from immich_sync.core.folder import Setup
    from immich_sync.results import DownloadResult

T = TypeVar("T")

_IDS = typer.Argument(
    metavar="ID…", parser=naming.asset, help="Assets, by their ids or their addresses (/photos/ID)."
)
Ids = Annotated[list[UUID], _IDS]
SomeIds = Annotated[list[UUID] | None, _IDS]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write to.")]
Album = Annotated[
    UUID | None,
    typer.Option(
        "--album",
        metavar="ID",
        parser=naming.album,
        help="All assets of this album, by its id or its address (/albums/ID).",
    ),
]
Filename = Annotated[
    str | None, typer.Option(metavar="NAME", help="Another name than the server's.")
]
OnExistsOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="What to do where another file has the name: error, skip, overwrite or rename.",
    ),
]
Account = Annotated[
    str | None, typer.Option(metavar="NAME", help="Another account of the configuration.")
]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Show no progress.")]
CHOICES = ("error", "skip", "overwrite", "rename")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (download, view, play, archive):
        app.command()(command)


def download(
    out: Out,
    ids: SomeIds = None,
    album: Album = None,
    key: Key = None,
    slug: Slug = None,
    password_file: PasswordFile = None,
    filename: Filename = None,
    edited: Annotated[bool, typer.Option("--edited", help="As edited in Immich.")] = False,
    on_exists: OnExistsOption = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="Downloads at once.")
    ] = 4,
    account: Account = None,
    no_progress: NoProgress = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Download originals, proved by their checksums.

    A download that broke is gone on with. An ID is the end of an asset's address in the browser
    (…/photos/ID), or that whole address; of an album, …/albums/ID.
    """
    wanted = _wanted(ids, album)
    password = password_of(password_file, public=bool(key or slug))
    several = isinstance(wanted, UUID) or len(wanted) > 1
    if several and (filename is not None or edited):
        raise typer.BadParameter("it goes with one ID only", param_hint="--filename/--edited")
    policy = _policy(on_exists, "rename" if several else "error")

    async def fetch(assets: "AssetsApi") -> "DownloadResult":
        progress = not (json or no_progress)
        if several:
            return await assets.download_originals_to_folder(
                wanted, out, key=key, slug=slug, password=password, concurrency=concurrency,
                show_progress=progress, on_exists=policy,
            )  # fmt: skip
        return await assets.download_files(
            ids or (), out, kind="edited" if edited else "original", key=key, slug=slug,
            password=password, filename=filename, show_progress=progress, on_exists=policy,
        )  # fmt: skip

    result = _with_assets(config, account, fetch, public=bool(key or slug))
    _report(result, json=json, originals=not edited)


def view(
    ids: Ids,
    out: Out,
    size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="thumbnail, preview or fullsize.")
    ] = None,
    key: Key = None,
    slug: Slug = None,
    password_file: PasswordFile = None,
    filename: Filename = None,
    on_exists: OnExistsOption = None,
    account: Account = None,
    no_progress: NoProgress = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Save pictures of assets, in one of Immich's sizes."""
    policy = _policy(on_exists, "error")
    password = password_of(password_file, public=bool(key or slug))
    _one_name(ids, filename)

    async def fetch(assets: "AssetsApi") -> "DownloadResult":
        return await assets.download_files(
            ids, out, kind="view", size=size, key=key, slug=slug, password=password,
            filename=filename, show_progress=not (json or no_progress), on_exists=policy,
        )  # fmt: skip

    _report(_with_assets(config, account, fetch, public=bool(key or slug)), json=json)


def play(
    ids: Ids,
    out: Out,
    key: Key = None,
    slug: Slug = None,
    password_file: PasswordFile = None,
    filename: Filename = None,
    on_exists: OnExistsOption = None,
    account: Account = None,
    no_progress: NoProgress = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Save videos as browsers play them."""
    policy = _policy(on_exists, "error")
    password = password_of(password_file, public=bool(key or slug))
    _one_name(ids, filename)

    async def fetch(assets: "AssetsApi") -> "DownloadResult":
        return await assets.download_files(
            ids, out, kind="video", key=key, slug=slug, password=password,
            filename=filename, show_progress=not (json or no_progress), on_exists=policy,
        )  # fmt: skip

    _report(_with_assets(config, account, fetch, public=bool(key or slug)), json=json)


def archive(
    out: Out,
    ids: SomeIds = None,
    album: Album = None,
    archive_size: Annotated[
        int | None, typer.Option("--size", min=1, metavar="BYTES", help="About so much in each.")
    ] = None,
    key: Key = None,
    slug: Slug = None,
    password_file: PasswordFile = None,
    filename: Filename = None,
    on_exists: OnExistsOption = None,
    account: Account = None,
    no_progress: NoProgress = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Save an album, or some assets, as zip files."""
    wanted = _wanted(ids, album)
    policy = _policy(on_exists, "error")
    password = password_of(password_file, public=bool(key or slug))

    async def fetch(assets: "AssetsApi") -> list[Path]:
        return await assets.download_archive_to_file(
            wanted, out, key=key, slug=slug, password=password, filename=filename,
            archive_size=archive_size, show_progress=not (json or no_progress), on_exists=policy,
        )  # fmt: skip

    paths = _with_assets(config, account, fetch, public=bool(key or slug))
    if json:
        typer.echo(dumps({"archives": paths}, indent=2, default=str))
    else:
        _say(paths)


def _wanted(ids: list[UUID] | None, album: UUID | None) -> UUID | list[UUID]:
    if bool(ids) == (album is not None):
        raise typer.BadParameter("name assets, or an --album", param_hint="ID")
    return album if album is not None else ids or []


def _policy(given: str | None, default: "OnExists") -> "OnExists":
    if given is None:
        return default
    if given not in CHOICES:
        raise typer.BadParameter(f"choose from {', '.join(CHOICES)}", param_hint="--on-exists")
    return cast("OnExists", given)


def _one_name(ids: Sequence[UUID], filename: str | None) -> None:
    if filename is not None and len(ids) > 1:
        raise typer.BadParameter("it goes with one ID only", param_hint="--filename")


def _with_assets(
    config: Path | None,
    account: str | None,
    fetch: "Callable[[AssetsApi], Awaitable[T]]",
    *,
    public: bool,
) -> T:
    """What `fetch` returns, with the configured server; for public links its address is enough."""
    import anyio

    from immich_sync.assets import AssetsApi
    from immich_sync.core.errors import Misconfigured

    setup = _address(config) if public else account_from(config, account)
    server = setup.accounts[0]

    async def run() -> T:
        key = server.api_key.reveal() or None
        async with AssetsApi(server.url, key, limits=setup.limits) as assets:
            return await fetch(assets)

    with logging_for(setup, quiet=True):
        try:
            return anyio.run(run)
        except ValueError as error:
            raise Misconfigured(f"{error}.") from None


def _address(config: Path | None) -> "Setup":
    from immich_sync.config import load
    from immich_sync.config.accounts import server_of
    from immich_sync.config.resolve import resolve_limits
    from immich_sync.core.folder import Setup

    written = load(config)
    server, _ = server_of(written)
    return Setup((server,), (), resolve_limits(written), "")


def _report(result: "DownloadResult", *, json: bool, originals: bool = False) -> None:
    if json:
        typer.echo(dumps(result.model_dump(), indent=2, default=str))
    else:
        from immich_sync.core.naming import shown

        for entry in result.failed:
            typer.echo(f"failed: {entry.asset_id}: {entry.error}", err=True)
        for skipped in result.skipped:
            path = shown(os.fsencode(skipped.filepath))
            typer.echo(f"skipped: {skipped.asset_id}: {path} is another file", err=True)
        unproved = sum(not entry.verified for entry in result.downloaded)
        if originals and unproved:
            typer.echo(
                f"not verified: {words.count(unproved, 'file')}: Immich has no checksum of them, or"
                " the key may not read it (asset.read).",
                err=True,
            )
        _say([entry.filepath for entry in result.downloaded])
    if result.failed:
        raise typer.Exit(1)


def _say(paths: Sequence[Path]) -> None:
    from immich_sync.core.naming import shown

    for path in paths:
        typer.echo(shown(os.fsencode(path)))
