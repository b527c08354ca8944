"""Accounts: addresses made regular, keys found, checked and wrapped.

Its own module because keys are read here and nowhere else: what leaves it is a `Secret`.
"""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from immich_sync.config.load import Key, Written, variable_of
from immich_sync.config.settings import AccountTable
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import NO_FILES, Account, Tls
from immich_sync.core.types import Secret
from immich_sync.immich.address import normalise
from immich_sync.immich.transport import trust

DEFAULT = "default"
"""The account of `[server]`."""
LEAST_FREE = 2 * 1024**3
"""Bytes that a server keeps free unless said otherwise: Immich's database shares its disk."""
SECRETS = Path("/run/secrets")
"""Where Docker puts secrets."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_KEY = re.compile(r"[!-~]{8,256}", re.ASCII)
_KEY_FILE_LONGEST = 4096


def resolve_accounts(
    written: Written, wanted: Iterable[str], secrets: Path = SECRETS
) -> tuple[Account, ...]:
    """The `wanted` accounts, with the default one first where there is one.

    `secrets` is where Docker puts secrets. Raises Misconfigured.
    """
    tables = written.settings.accounts
    for name in tables:
        if name == DEFAULT:
            raise written.wrong(("accounts", name), "the default account is written as [server]")
        if not _NAME.fullmatch(name):
            raise written.wrong(
                ("accounts", name),
                "an account's name is made of small letters, digits, - and _, for it becomes part "
                "of variables' and files' names",
            )
    names = list(dict.fromkeys(wanted))
    if DEFAULT in names or (_default_url(written) and not names):
        names = [DEFAULT, *(name for name in names if name != DEFAULT)]
    return tuple(_account(written, name, secrets) for name in names)


def server_of(
    written: Written, base_url: str | None = None, api_key: str | None = None
) -> tuple[Account, Misconfigured | None]:
    """The default account as far as it is known; what is given comes before what is written.

    Without any key the second value says so, for who needs one. Raises Misconfigured.
    """
    if base_url is not None:
        url = normalise(base_url)
    elif (found := _default_url(written)) is not None:
        url = _regular(written, *found)
    else:
        raise Misconfigured("No address of a server: give base_url, or set IMMICH_INSTANCE_URL.")
    table = written.settings.server
    tls = _tls(written, ("server",), table, url) if base_url is None else NO_FILES
    if api_key is not None:
        return Account(url, url, Secret(api_key.strip()), tls), None
    key = _key(written, ("server",), table, "", SECRETS)
    if key is not None:
        return Account(url, url, key, tls), None
    missing = Misconfigured(
        f"No API key for {url}: give api_key, or set IMMICH_API_KEY (the key is made in Immich"
        " under Account Settings, API Keys)."
    )
    return Account(url, url, Secret(""), tls), missing


def _account(written: Written, name: str, secrets: Path) -> Account:
    if name == DEFAULT:
        found = _default_url(written)
        if found is None:
            raise Misconfigured(
                f"{written.file or 'No configuration file was found, and nothing'} names a server: "
                "write url under [server], or set IMMICH_INSTANCE_URL."
            )
        address = _regular(written, *found)
        key = _key(written, ("server",), written.settings.server, "", secrets)
        if key is None:
            raise Misconfigured(
                f"No API key for {address}: write api_key_file under [server], or set "
                "IMMICH_API_KEY (the key is made in Immich under Account Settings, API Keys)."
            )
        table = written.settings.server
        tls = _tls(written, ("server",), table, address)
        room = _least_free(table, LEAST_FREE)
        return Account(name, address, key, tls, _kept_in(table), room)
    table = written.settings.accounts[name]
    own = _key(written, ("accounts", name), table, f"-{name}", secrets)
    if own is None and table.url is None:
        raise written.wrong(
            ("accounts", name), "it has neither a url nor an api_key_file of its own"
        )
    if table.url is not None and own is not None:
        return _elsewhere(written, name, table, table.url, own)
    default = _account(written, DEFAULT, secrets)
    if table.url is not None:
        return _elsewhere(written, name, table, table.url, default.api_key)
    tls = _tls(written, ("accounts", name), table, default.url)
    return Account(
        name,
        default.url,
        own or default.api_key,
        default.tls if tls == NO_FILES else tls,
        _kept_in(table) if own else default.key_file,
        _least_free(table, default.min_server_free),
    )


def _elsewhere(
    written: Written, name: str, table: AccountTable, address: str, key: Secret
) -> Account:
    """An account on a server of its own: what is said of the default one is not meant for it."""
    url = _regular(written, ("accounts", name, "url"), address)
    tls = _tls(written, ("accounts", name), table, url)
    return Account(name, url, key, tls, _kept_in(table), _least_free(table, LEAST_FREE))


def _kept_in(table: AccountTable) -> str | None:
    """The key's file, where it was a person who chose its mode: not systemd, not Docker."""
    return None if table.api_key_file is None else str(Path(table.api_key_file).expanduser())


def _least_free(table: AccountTable, otherwise: int) -> int:
    return otherwise if table.min_server_free is None else table.min_server_free


def _tls(written: Written, key: Key, table: AccountTable, url: str) -> Tls:
    """The account's own files, looked at. Raises Misconfigured."""
    given = {
        name: str(Path(path).expanduser())
        for name in ("ca_file", "client_cert", "client_key")
        if (path := getattr(table, name)) is not None
    }
    if not given:
        return NO_FILES
    first = next(iter(given))
    if not url.startswith("https:"):
        raise written.wrong((*key, first), f"it is of no use with {url}: write https://")
    if "client_key" in given and "client_cert" not in given:
        raise written.wrong((*key, "client_key"), "client_cert is missing beside it")
    tls = Tls(**given)
    try:
        trust(tls)
    except Misconfigured as error:
        named, colon, what = str(error).partition(": ")
        known = named in given and bool(colon)
        raise written.wrong(
            (*key, named if known else first), what if known else str(error)
        ) from None
    return tls


def _default_url(written: Written) -> tuple[Key, str] | None:
    if written.settings.server.url is not None:
        return ("server", "url"), written.settings.server.url
    given = os.environ.get("IMMICH_INSTANCE_URL", "").strip()
    return (("IMMICH_INSTANCE_URL",), given) if given else None


def _regular(written: Written, key: Key, url: str) -> str:
    """`url` with scheme and host, without a trailing slash and without /api."""
    try:
        address = normalise(url)
        (urlsplit(address).hostname or "").encode("idna")
    except Misconfigured as error:
        raise written.wrong(key, str(error)) from None
    except UnicodeError:
        raise written.wrong(key, "the server's host is no name that a host can have") from None
    return address


def _key(
    written: Written, key: Key, table: AccountTable, suffix: str, secrets: Path
) -> Secret | None:
    """The account's key from the first place that has one."""
    if table.api_key_file is not None:
        file = Path(table.api_key_file).expanduser()
        return _from_file(file, written, (*key, "api_key_file"))
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    places = [Path(credentials) / f"immich-api-key{suffix}"] if credentials else []
    places.append(secrets / f"immich_api_key{suffix.replace('-', '_', 1)}")
    for file in places:
        if os.path.lexists(file):
            return _from_file(file, written, (*key, "api_key_file"))
    if table.api_key is not None:
        _only_ours(written, (*key, "api_key"))
        return _checked(table.api_key, written, (*key, "api_key"))
    given = "" if suffix else os.environ.get("IMMICH_API_KEY", "")
    return _checked(given, written, ("IMMICH_API_KEY",)) if given.strip() else None


def _from_file(file: Path, written: Written, key: Key) -> Secret:
    try:
        with file.open("rb") as opened:
            found = opened.read(_KEY_FILE_LONGEST)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise written.wrong(key, f"the key file {file} cannot be read ({why})") from None
    try:
        return _checked(found.decode("ascii"), written, key)
    except (UnicodeDecodeError, Misconfigured):
        raise written.wrong(key, f"what {file} holds is not an API key: {_SHAPE}") from None


_SHAPE = "one line of 8 to 256 letters, digits and signs is expected"


def _checked(text: str, written: Written, key: Key) -> Secret:
    stripped = text.strip()
    if not _KEY.fullmatch(stripped):
        raise written.wrong(key, f"it does not hold an API key: {_SHAPE}")
    return Secret(stripped)


def _only_ours(written: Written, key: Key) -> None:
    """A key inside a file that others may read is a key given away."""
    if written.file is not None and variable_of(key) is None:
        mode = stat.S_IMODE(written.file.stat().st_mode)
        if mode & 0o077:
            raise written.wrong(
                key,
                f"others may read this file (mode {mode:o}); make it 600, or put the key into a "
                "file of its own and name that as api_key_file",
            )
