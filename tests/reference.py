"""Makes docs/configuration.md from the settings' model: `python -m tests.reference`.

Its own module because a test holds the page to what this would write: what each key means stands
below it in `immich_sync/config/settings.py`, its default in the example, which is tested as well.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MODEL = Path("immich_sync/config/settings.py")
EXAMPLE = Path("deploy/config.example.toml")
PAGE = Path("docs/configuration.md")

TABLES = {
    "Settings": "At the top of the file",
    "AccountTable": "`[server]` and `[accounts.NAME]`",
    "FolderTable": "`[[folders]]`",
    "FolderRules": "`[[folders]]` and `[defaults]`",
    "LimitsTable": "`[limits]`",
    "HealthTable": "`[health]`",
    "NotifyTable": "`[notify]`",
}
"""The model's classes, in the order of the page, and what they are in the file."""

_SHOWN = re.compile(r"^(?:# +)?(\w+) = (\"[^\"]*\"|\[[^]]*\]|\S+)(?=\s|$)", re.MULTILINE)
_NO_DEFAULT = frozenset({
    "state_dir", "url", "api_key_file", "api_key", "ca_file", "client_cert", "client_key", "path",
    "name", "album_id", "scan_every", "hash_threads", "webhook_url_file", "webhook_url",
    "apprise_urls_file", "quarantine_dir",
})  # fmt: skip
"""Keys whose line in the example shows what one may write and not what is there without it."""

HEAD = """\
# Configuration

<!-- Made by `python -m tests.reference` from immich_sync/config/settings.py. -->

A file in TOML: `--config FILE`, else `$IMMICH_SYNC_CONFIG`, else
`~/.config/immich-sync/config.toml`, else `/etc/immich-sync/config.toml`.
[deploy/config.example.toml](../deploy/config.example.toml) is one to start from.

Each setting can also come from the environment, which wins: `IMMICH_SYNC_`, the table and the key
with two underscores between them, in capitals: `IMMICH_SYNC_LIMITS__UPLOADS=2`,
`IMMICH_SYNC_DEFAULTS__ALBUM="{parent}"`. `IMMICH_SYNC_FOLDERS=/photos:/videos` names the folders.

Durations are written as `500ms`, `10s`, `5m`, `6h` or `30d`, sizes as `512k`, `20M` or `4G`
(powers of 1024), times of day as `03:30`.

A key that is not known, or a value that cannot be, is refused with one sentence that names the
file (or the variable) and the key. After a change: `immich-sync reload`.
"""


def page() -> str:
    """The page as it should be."""
    shown = dict(_SHOWN.findall(EXAMPLE.read_text(encoding="utf-8")))
    parts = [HEAD]
    tables = {one.name: one for one in _classes()}
    for name, title in TABLES.items():
        parts.append(f"\n## {title}\n\n| key | default | what it means |\n|---|---|---|\n")
        for key, words in keys(tables[name]):
            default = "" if key in _NO_DEFAULT else f"`{shown[key]}`"
            parts.append(f"| `{key}` | {default} | {words} |\n")
    return "".join(parts)


def keys(table: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Each key of a table of the model with the words below it. KeyError if there are none."""
    for number, line in enumerate(table.body):
        match line:
            case ast.AnnAssign(target=ast.Name(id=key), annotation=kind) if not _is_table(kind):
                match table.body[number + 1 : number + 2]:
                    case [ast.Expr(value=ast.Constant(value=str(words)))]:
                        yield key, " ".join(words.split())
                    case _:
                        raise KeyError(f"no words below {table.name}.{key}")
            case _:
                pass


def _classes() -> Iterator[ast.ClassDef]:
    for one in ast.parse(MODEL.read_text(encoding="utf-8")).body:
        if isinstance(one, ast.ClassDef):
            yield one


def _is_table(kind: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Name) and part.id.endswith(("Table", "Rules"))
        for part in ast.walk(kind)
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
