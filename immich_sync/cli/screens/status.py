"""The status on one screen: a line on daemon and server, a table of folders, the problems.

Its own module because the same values are also JSON, and neither should know of the other.
"""

import time

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from immich_sync.cli.screens import words
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


def show(status: Status) -> None:
    """Print the status on standard output."""
    Console(highlight=False).print(screen(status, time.time()))


def screen(status: Status, now: float) -> RenderableType:
    """The status as something that rich prints; `now` is wall-clock seconds."""
    parts: list[RenderableType] = [_headline(status, now), *map(_server, status.servers)]
    parts += [_jobs(status), Text(), _folders(status.folders, now)]
    if status.problems:
        parts += [Text(), _problems(status.problems, now)]
    return Group(*parts)


def _headline(status: Status, now: float) -> Text:
    if status.daemon is None:
        return Text.assemble(
            ("No daemon is running", "bold yellow"), "; this is what its state says."
        )
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
        line.append(" · ").append(server.error or "cannot be reached", "red")
    return line


def _jobs(status: Status) -> Text:
    jobs = status.jobs
    return Text.assemble(
        ("jobs   ", "bold"),
        f"{jobs.pending:,} due · {jobs.waiting:,} waiting · {jobs.running:,} being synced · ",
        (f"{jobs.failed:,} given up", "red" if jobs.failed else ""),
    )


def _folders(folders: tuple[FolderStatus, ...], now: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("folder", overflow="fold")
    table.add_column("state")
    table.add_column("in Immich", justify="right", no_wrap=True)
    table.add_column("", width=12)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("newest", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    for folder in folders:
        total = max(folder.files, folder.verified)
        table.add_row(
            Text(folder.name, "bold").append(f"\n{folder.path}", "not bold dim"),
            _folder_state(folder),
            f"{folder.verified:,} of {total:,}",
            ProgressBar(total=total or 1, completed=folder.verified if total else 1, width=12),
            words.size(folder.bytes),
            words.ago(folder.last_new, now),
            words.span(folder.eta_seconds) if folder.eta_seconds else "",
        )
    return table


def _folder_state(folder: FolderStatus) -> Text:
    state = Text(folder.state, _STYLES.get(folder.state, ""))
    if folder.state == "watching" and folder.watch != "inotify":
        state.append(f" ({folder.watch})", "red" if folder.watch == "degraded" else "dim")
    apart = ("pending", folder.pending), ("failed", folder.failed), ("trashed", folder.trashed)
    for word, number in apart:
        if number:
            state.append(f"\n{number:,} {word}", "red" if word == "failed" else "yellow")
    return state


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
