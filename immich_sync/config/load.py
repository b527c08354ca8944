"""Reads the file and the environment, and says in one sentence what is wrong with either.

Its own module because finding the source of a value (which file, which variable, which key) is
what makes an error useful, and no other module should have to know about it.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings.exceptions import SettingsError

from immich_sync.config.settings import (
    AccountTable,
    FolderRules,
    FolderTable,
    HealthTable,
    LimitsTable,
    NotifyTable,
    Settings,
)
from immich_sync.config.values import seen
from immich_sync.core.errors import Misconfigured

Key = tuple[int | str, ...]
"""The way to a value: `("folders", 0, "settle")`."""

PREFIX = "IMMICH_SYNC_"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TWICE = re.compile(r"Cannot declare (\([^)]*\)) twice")
_NOT_SETTINGS = frozenset({"IMMICH_SYNC_CONFIG", "IMMICH_SYNC_DEBUG"})
# What Kubernetes and `docker --link` put there for a service that is called immich-sync.
_FOREIGN = ("IMMICH_SYNC_SERVICE_", "IMMICH_SYNC_PORT")
_TABLES: Mapping[str, type[BaseModel]] = {
    "server": AccountTable,
    "accounts": AccountTable,
    "defaults": FolderRules,
    "folders": FolderTable,
    "limits": LimitsTable,
    "health": HealthTable,
    "notify": NotifyTable,
}
_KINDS = {
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table of tables",
    "tuple_type": "a list of tables, written as [[folders]]",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote, and where."""

    settings: Settings
    file: Path | None

    def wrong(self, key: Key, what: str) -> Misconfigured:
        """The error that names the source of `key` (a file or a variable) and says `what`."""
        return Misconfigured(ended(f"{source(key, self.file)}: {what}"))


def load(path: Path | None = None) -> Written:
    """What `path` (else $IMMICH_SYNC_CONFIG, the XDG place, /etc) and the environment say.

    No file at all is fine when nobody named one. Raises Misconfigured.
    """
    file = _find(path)
    return parse({} if file is None else _read(file), file)


def parse(data: Mapping[str, object], file: Path | None) -> Written:
    """The settings in a file's `data`, with the environment over them. Raises Misconfigured."""
    for name in data:
        if name not in Settings.model_fields:
            raise Misconfigured(ended(f"{file}: {_unknown((name,))}"))
    for variable in os.environ:
        _check_variable(variable)
    try:
        return Written(Settings.model_validate(dict(data)), file)
    except ValidationError as trouble:
        first = trouble.errors(include_url=False, include_context=False)[0]
        raise Misconfigured(ended(f"{source(first['loc'], file)}: {_sentence(first)}")) from None
    except (SettingsError, RecursionError):
        raise Misconfigured(f"{file or 'the environment'}: it cannot be understood.") from None


def source(key: Key, file: Path | None) -> str:
    """Where `key` was written: the variable that sets it, else the file with table and key."""
    if (name := variable_of(key)) is not None:
        return name
    where = _label(key)
    return f"{file}: {where}" if file is not None else where


def variable_of(key: Key) -> str | None:
    """The environment variable that sets `key`, or the table it is in; None if there is none.

    A variable outside our prefix is its own key: `("IMMICH_API_KEY",)`.
    """
    wanted = {
        PREFIX + "__".join(map(str, key[:length])).upper() for length in range(1, len(key) + 1)
    }
    wanted.add(str(key[0]))
    return next(
        (name for name, value in os.environ.items() if value and name.upper() in wanted), None
    )


def ended(sentence: str) -> str:
    """With a full stop, unless it ends as a sentence may."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def _find(path: Path | None) -> Path | None:
    named = os.environ.get("IMMICH_SYNC_CONFIG")
    if path is not None or named:
        return path or Path(named or "")
    base = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(base) if Path(base).is_absolute() else Path("~/.config")
    for place in (home, Path("/etc")):
        try:
            file = place.expanduser() / "immich-sync" / "config.toml"
            if file.exists():
                return file
        except (OSError, RuntimeError):  # no home, or one that may not be looked into
            continue
    return None


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        raise Misconfigured(f"{file}: there is no such configuration file.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Misconfigured(f"{file}: {_why_unreadable(error)}.") from None


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"the configuration cannot be read ({error.strerror})"
    if isinstance(error, UnicodeDecodeError):
        return f"the configuration is not UTF-8 text (byte {error.start})"
    if isinstance(error, RecursionError):
        return "the configuration is nested too deeply"
    return f"the configuration is not TOML: {_toml_trouble(str(error).rstrip('.'))}"


def _toml_trouble(said: str) -> str:
    """The parser's words, without Python's tuples in them."""
    found = _TWICE.search(said)
    if found is None:
        return said[:1].lower() + said[1:]
    name = ".".join(re.findall(r"'([^']*)'", found[1]))
    hint = "; each folder is one [[folders]]" if name == "folders" else ""
    return f"{seen(name)} is there twice{said[found.end() :]}{hint}"


def _check_variable(variable: str) -> None:
    name = variable.upper()
    if not name.startswith(PREFIX) or name in _NOT_SETTINGS or name.startswith(_FOREIGN):
        return
    first = name.removeprefix(PREFIX).partition("__")[0].lower()
    if first not in Settings.model_fields:
        nearest = _nearest(first, Settings.model_fields)
        hint = f"; did you mean {PREFIX}{nearest.upper()}?" if nearest else ""
        raise Misconfigured(ended(f"{variable}: no such setting{hint}"))


def _sentence(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown(error["loc"])
    if kind == "missing":
        return "it is missing"
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if kind in _KINDS:
        return f"{seen(error['input'])} is not {_KINDS[kind]}"
    return error["msg"][:1].lower() + error["msg"][1:]


def _unknown(key: Key) -> str:
    table = _TABLES.get(str(key[0])) if len(key) > 1 else Settings
    nearest = _nearest(str(key[-1]), table.model_fields if table is not None else ())
    hint = f"; did you mean {nearest}?" if nearest else ""
    return f"{seen(key[-1])} is not a key that is known here{hint}"


def _nearest(name: str, known: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else None


def _label(key: Key) -> str:
    match key:
        case ("folders", int(number), *rest):
            words = [f"[[folders]] number {number + 1}", *map(_named, rest)]
        case ("accounts", name, *rest):
            words = [f"[accounts.{_named(name)}]", *map(_named, rest)]
        case (table, *rest) if table in _TABLES:
            words = [f"[{table}]", *map(_named, rest)]
        case _:
            words = [_named(part) for part in key]
    return ", ".join(words)


def _named(part: int | str) -> str:
    """A key as it is written: bare, or quoted and escaped where TOML would have it so."""
    return str(part) if _BARE.fullmatch(str(part)) else seen(part)
