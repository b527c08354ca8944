"""What `status` says, as values: the same for the screen, `--json` and the control socket.

Its own module because the running daemon and a reader of the state file both fill it in. The
field names are the JSON schema that people script against: they do not change.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The process. Times are wall-clock seconds."""

    pid: int
    version: str
    since: float
    state: str  # starting | syncing | idle | waiting | stopping


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """An account's server; `reachable` is None when nobody has asked."""

    url: str
    version: str | None
    reachable: bool | None
    error: str | None
    account: str = "default"
    trouble: str = ""  # refused | full | untrusted | not_immich | unreachable: what `error` is
    since: float | None = None  # when that began, wall-clock seconds


@dataclass(frozen=True, slots=True)
class JobsStatus:
    """Jobs: due now, waiting for a time or a server, being worked on, given up."""

    pending: int
    waiting: int
    running: int
    failed: int


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """One folder. `bytes` are of its files; times are wall-clock seconds."""

    name: str
    path: str
    account: str
    state: str  # starting | scanning | watching | waiting | paused | offline | unapproved | stopped
    watch: str  # inotify | poll | both | degraded
    files: int  # that are known to be there, be they settling, due or in Immich
    verified: int
    pending: int
    trashed: int
    failed: int
    ignored: int
    bytes: int
    last_new: float | None
    last_scan: float | None
    eta_seconds: float | None
    settling: int = 0  # files that were seen moving and have not held still for long enough
    waiting_since: float | None = None  # when the longest waiting job became due, or failed first
    last_done: float | None = None  # when a file of it was last proved, as far as remembered
    cleaned: int = 0  # taken away by our own cleanup, for good or into quarantine
    quarantined: int = 0  # of these, still to be brought back (undo)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that waits for a person or for time, and what can be done about it."""

    what: str
    path: str
    since: float | None
    advice: str


@dataclass(frozen=True, slots=True)
class Status:
    """Everything on one screen. `server` is the default account's; `servers` are all."""

    daemon: DaemonStatus | None
    server: ServerStatus
    servers: tuple[ServerStatus, ...]
    jobs: JobsStatus
    folders: tuple[FolderStatus, ...]
    problems: tuple[Problem, ...]
