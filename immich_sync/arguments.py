"""What callers write, made into what the program means.

Its own module because a wrong argument should be told apart from trouble before anything is opened.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Account
from immich_sync.core.media import Kind, media_types
from immich_sync.core.types import AlbumId, AssetId, Secret
from immich_sync.immich.about import MediaTypes
from immich_sync.immich.address import normalise
from immich_sync.immich.public import Link


def account_of(base_url: str | None, api_key: str | None) -> tuple[Account, Misconfigured | None]:
    """The account, and what is wrong if it has no key. Raises Misconfigured."""
    if base_url is not None and api_key is not None:
        url = normalise(base_url)
        return Account(url, url, Secret(api_key.strip())), None
    # Reading the environment as the daemon does costs imports that few callers need.
    from immich_sync.config.accounts import server_of  # noqa: PLC0415 - see above
    from immich_sync.config.load import parse  # noqa: PLC0415 - see above

    return server_of(parse({}, None), base_url, api_key)


def template(album_name: str | None, *, by_folder: bool) -> str | None:
    """The album's template: a name stands for itself, braces and all. Raises ValueError."""
    if by_folder and album_name is not None:
        raise ValueError("choose album_name or album, not both")
    if by_folder:
        return "{parent}"
    if album_name is not None and not album_name.strip():
        raise ValueError("an album's name must not be blank")
    return None if album_name is None else album_name.replace("{", "{{").replace("}", "}}")


def asset_id(given: UUID | str) -> AssetId:
    """An id as it may stand in a URL. Raises ValueError."""
    try:
        return AssetId(str(UUID(str(given))))
    except ValueError:
        raise ValueError(f"{given!r} is not the id of an asset or album") from None


def public_link(
    key: str | None,
    slug: str | None,
    password: str | None,
    headers: Mapping[str, str] | None,
) -> Link:
    """The public link that is meant, or none. Raises ValueError."""
    if key is not None and slug is not None:
        raise ValueError("a public link is opened by its key or by its slug, not by both")
    if password is not None and key is None and slug is None:
        raise ValueError("a password goes with a public link's key or slug")
    if password is not None and not password:
        raise ValueError("an empty password opens no public link")
    return Link(key, slug, headers, None if password is None else Secret(password))


def album_or_assets(
    what: UUID | str | Sequence[UUID | str],
) -> tuple[AlbumId | None, list[AssetId]]:
    """One id is an album's, a list is of assets. Raises ValueError."""
    if isinstance(what, UUID | str):
        return AlbumId(asset_id(what)), []
    return None, [asset_id(one) for one in what]


def at_least_one(name: str, number: int) -> int:
    """The number. Raises ValueError if it is less than 1."""
    if number < 1:
        raise ValueError(f"{name} must be 1 or more, not {number}")
    return number


def kinds(taken: MediaTypes) -> Mapping[bytes, Kind]:
    """The kind of each extension that a server takes."""
    image, video = ([end.encode() for end in ends] for ends in (taken.image, taken.video))
    return media_types(image, video)
