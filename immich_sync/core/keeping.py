"""The state as it is looked at, copied and put back: what is told of it, and what is judged.

Its own module because three commands tell the same of a state, and because which of it is wrong is
a decision; who looks at disk and tables is `store`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from immich_sync.core.diagnosis import ERROR, OK, WARNING, Finding
from immich_sync.core.tombstones import Condition

_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Contents:
    """What a state holds, wherever it lies."""

    schema: tuple[str, ...] = ()  # the steps that made its tables, oldest first
    rows: Mapping[str, int] = field(default_factory=dict)  # by table
    tombstones: Condition | None = None  # None: there is no such file


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a state folder."""

    folder: str
    modes: Mapping[str, int]  # permission bits, by path; of the folder, and of its files
    contents: Contents
    trouble: str = ""  # why the state could not be read to its end
    complaints: tuple[str, ...] = ()  # SQLite's own, of its pages
    orphans: int = 0  # rows that refer to nothing


@dataclass(frozen=True, slots=True)
class StateCheck:
    """A state folder, looked at and judged."""

    sound: bool
    folder: str
    schema: tuple[str, ...]
    rows: Mapping[str, int]
    tombstones: Condition | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup: where it lies, and what is in it."""

    path: str
    bytes: int
    made_at: float  # wall-clock seconds
    version: str  # of the program that made it
    contents: Contents


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of putting a backup back."""

    backup: Kept
    folder: str
    aside: str  # where the state lies that was there before; "" if there was none
    tombstones: int  # lines that only the backup had
    removed: int  # photos that were removed from Immich since, as the tombstones tell


def judged(look: Look, known: Sequence[str]) -> StateCheck:
    """The state is sound if nothing found is an error; `known` are the steps of this version."""
    findings = (
        *_readable(look),
        *_schema(look, known),
        *_tombstones(look.contents.tombstones),
        *_modes(look.modes),
    )
    sound = all(one.level != ERROR for one in findings)
    found = look.contents
    return StateCheck(sound, look.folder, found.schema, found.rows, found.tombstones, findings)


def _readable(look: Look) -> Iterator[Finding]:
    if look.trouble:
        yield Finding("state", "", ERROR, look.trouble, _MEND)
    elif look.complaints or look.orphans:
        several = [*look.complaints]
        if look.orphans:
            several.append(f"{look.orphans:,} rows refer to nothing")
        yield Finding("state", "", ERROR, f"It is damaged: {'; '.join(several)}.", _MEND)
    elif look.contents.schema:
        said = ", ".join(f"{number:,} {table}" for table, number in look.contents.rows.items())
        yield Finding("state", "", OK, f"Every page can be read. Rows: {said}.")


def _schema(look: Look, known: Sequence[str]) -> Iterator[Finding]:
    steps = look.contents.schema
    if not steps:
        if not look.trouble:
            yield Finding("tables", "", ERROR, "These are not the tables of immich-sync.", _MEND)
        return
    newest = f"The tables are of version {len(steps)} ({steps[-1]})"
    if unknown := [step for step in steps if step not in known]:
        said = f"{newest}, from a newer immich-sync: this one does not know {', '.join(unknown)}."
        yield Finding("tables", "", ERROR, said, "Install that version again.")
    elif len(steps) < len(known):
        said = f"{newest}, from an older immich-sync."
        yield Finding("tables", "", OK, said, "immich-sync run brings them up to date.")
    else:
        yield Finding("tables", "", OK, f"{newest}.")


def _tombstones(found: Condition | None) -> Iterator[Finding]:
    if found is None:
        yield Finding("tombstones", "", OK, "There are none.")
        return
    said = f"{found.lines:,} lines can be read"
    if found.damaged:
        said += f", {found.damaged:,} are damaged: what they said is lost."
        remedy = "immich-sync state restore PATH brings back every line that a backup has."
        yield Finding("tombstones", "", ERROR, said, remedy)
    elif found.torn:
        said += f"; {found.torn:,} was cut off while it was written, which does no harm."
        yield Finding("tombstones", "", OK, said)
    else:
        yield Finding("tombstones", "", OK, f"{said}.")


def _modes(modes: Mapping[str, int]) -> Iterator[Finding]:
    for path, mode in modes.items():
        if mode & _OTHERS:
            said = f"Others may look into it (mode {mode:o})."
            yield Finding("permissions", path, WARNING, said, f"chmod go= {path}")


_MEND = (
    "Stop immich-sync and put a backup back with immich-sync state restore PATH; or only restart"
    " it: it moves what is damaged aside and makes it anew from the folders and the server."
)
