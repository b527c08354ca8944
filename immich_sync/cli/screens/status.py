"""The status on one screen: a line on daemon and server, a table of folders, the problems.

Its own module because the same values are also JSON, and neither should know of the other.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from immich_sync.cli.screens import words
from immich_sync.cli.screens.shortening import Shortened
from immich_sync.core.status import FolderStatus, Problem, ServerStatus, Status

_STYLES = {
    "syncing": "green",
    "idle": "green",
    "watching": "green",
    "waiting": "yellow",
    "scanning": "cyan",
    "starting": "cyan",
    "offline": "red",
    "unapproved": "red",
}
_SHOWN = 15
"""Problems on the screen; the rest is counted."""
_BAR = 12
"""Cells of a bar where there is room for it."""
_GAP = 2


def show(status: Status, at_rest: str = "") -> None:
    """Print the status on standard output; `at_rest` goes on where no daemon is running."""
    Console(highlight=False).print(screen(status, time.time(), at_rest))


def screen(status: Status, now: float, at_rest: str = "") -> RenderableType:
    """The status as something that rich prints; `now` is wall-clock seconds."""
    parts: list[RenderableType] = [_headline(status, now, at_rest), *map(_server, status.servers)]
    parts += [_jobs(status), Text(), _Folders(status.folders, now)]
    if status.problems:
        parts += [Text(), _problems(status.problems, now)]
    return Group(*parts)


def _headline(status: Status, now: float, at_rest: str) -> Text:
    if status.daemon is None:
        return Text.assemble(("No daemon is running", "bold yellow"), at_rest or ".")
    daemon = status.daemon
    return Text.assemble(
        ("immich-sync ", "bold"), daemon.version, " · ",
        (daemon.state, _STYLES.get(daemon.state, "")),
        f" · up {words.span(max(0.0, now - daemon.since))} · pid {daemon.pid}",
    )  # fmt: skip


def _server(server: ServerStatus) -> Text:
    line = Text.assemble(("server ", "bold"), server.url)
    if server.account != "default":
        line.append(f" ({server.account})")
    if server.version is not None:
        line.append(f" · Immich {server.version}")
    if server.reachable is True:
        line.append(" · ").append("reachable", "green")
    if server.reachable is False:
        line.append(" · ").append((server.trouble or "unreachable").replace("_", " "), "red")
        if server.error:
            line.append(f"\n       {server.error}", "red")
    return line


def _jobs(status: Status) -> Text:
    jobs = status.jobs
    return Text.assemble(
        ("jobs   ", "bold"),
        f"{jobs.pending:,} due · {jobs.waiting:,} waiting · {jobs.running:,} being synced · ",
        (f"{jobs.failed:,} given up", "red" if jobs.failed else ""),
    )


@dataclass(frozen=True, slots=True)
class _Folders:
    """The folders as wide as the terminal: for each its name and path, and below these its numbers.

    All numbers stand in columns; where there is too little room for them, the bar gives way first.
    """

    folders: tuple[FolderStatus, ...]
    now: float

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Two or three lines for each folder."""
        rows = [_numbers(folder, self.now) for folder in self.folders]
        widths = [max(map(cell_len, column)) for column in zip(_HEAD, *rows, strict=True)]
        room = options.max_width - sum(widths) - _GAP * (len(widths) + 1)
        bar = min(_BAR, room) if room > _GAP else 0
        yield _row([Text(word, "bold") for word in _HEAD], widths, Text(), bar)
        yield Text("─" * options.max_width, "dim")
        for folder, row in zip(self.folders, rows, strict=True):
            name = Table.grid(padding=(0, _GAP, 0, 0))
            name.add_row(Text(folder.name, "bold", overflow="fold"), Shortened(folder.path, "dim"))
            yield name
            total = max(folder.files, folder.verified)
            done = ProgressBar(total=total or 1, completed=folder.verified if total else 1)
            texts = [Text(row[0], _STYLES.get(folder.state, "")), *map(Text, row[1:])]
            yield _row(texts, widths, done, bar)
            if apart := Text(" · ").join(_apart(folder)):
                yield Padding(apart, (0, 0, 0, _GAP))


_HEAD = ("state", "in Immich", "size", "newest", "left")
_BESIDE_BAR = 1
"""The column that the bar stands behind."""


def _numbers(folder: FolderStatus, now: float) -> tuple[str, ...]:
    return (
        folder.state,
        f"{folder.verified:,} of {max(folder.files, folder.verified):,}",
        words.size(folder.bytes),
        words.ago(folder.last_new, now),
        words.span(folder.eta_seconds) if folder.eta_seconds else "",
    )


def _row(texts: Sequence[Text], widths: Sequence[int], bar: RenderableType, room: int) -> Padding:
    """One line of the columns; `room` cells for the bar, which is left out for 0."""
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    cells: list[RenderableType] = []
    for number, (text, width) in enumerate(zip(texts, widths, strict=True)):
        grid.add_column(width=width, justify="right" if number else "left", overflow="fold")
        cells.append(text)
        if number == _BESIDE_BAR and room:
            grid.add_column(width=room)
            cells.append(bar)
    grid.add_row(*cells)
    return Padding(grid, (0, 0, 0, _GAP))


def _apart(folder: FolderStatus) -> Iterator[Text]:
    """What stands apart from those that are in: how it is watched, if not as it should, and who."""
    if folder.state == "watching" and folder.watch != "inotify":
        yield Text(f"watch: {folder.watch}", "red" if folder.watch == "degraded" else "dim")
    for word, number in (
        ("settling", folder.settling),
        ("pending", folder.pending),
        ("failed", folder.failed),
        ("trashed", folder.trashed),
    ):
        if number:
            yield Text(f"{number:,} {word}", "red" if word == "failed" else "yellow")
    if folder.cleaned:
        kept = f" ({folder.quarantined:,} in quarantine)" if folder.quarantined else ""
        yield Text(f"{folder.cleaned:,} cleaned away{kept}", "dim")


def _problems(problems: tuple[Problem, ...], now: float) -> Group:
    lines: list[RenderableType] = [Text(words.count(len(problems), "problem"), "bold red")]
    for problem in problems[:_SHOWN]:
        since = "" if problem.since is None else f", {words.ago(problem.since, now)}"
        what = (problem.what.replace("_", " "), "bold")
        lines.append(Text.assemble("• ", what, f"  {problem.path}", (since, "dim")))
        if problem.advice:
            lines.append(Padding(Text(problem.advice), (0, 0, 0, 4)))
    if len(problems) > _SHOWN:
        more = f"and {len(problems) - _SHOWN:,} more: immich-sync status --json"
        lines.append(Text(more, "dim"))
    return Group(*lines)
