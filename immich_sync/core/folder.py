"""A folder, an account and the limits as the program knows them: every field filled.

Its own module because `config` makes these once, at start, and nothing after it knows that
defaults, profiles or environment variables exist.
"""

from dataclasses import dataclass, field
from datetime import time
from math import inf

from immich_sync.core.media import IgnorePatterns, compile_ignore
from immich_sync.core.types import AlbumId, Secret


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form, beside what the system trusts; certificates are verified in any case."""

    ca_file: str | None = None  # of an authority that is trusted as well
    client_cert: str | None = None  # what we show to a server that asks who we are
    client_key: str | None = None  # None: it stands in the same file


NO_FILES = Tls()
"""Only what the system trusts, and nothing to show."""


@dataclass(frozen=True, slots=True)
class Account:
    """One user on one server."""

    name: str
    url: str  # with scheme and host, without a trailing slash and without /api
    api_key: Secret
    tls: Tls = NO_FILES
    key_file: str | None = field(default=None, compare=False)  # where a person keeps the key
    min_server_free: int = 0  # bytes: with less left there, nothing is uploaded; 0: nobody asks


@dataclass(frozen=True, slots=True)
class Folder:
    """What to watch and what is wanted of it; times in seconds."""

    name: str
    root: bytes  # absolute
    account: str  # an Account's name
    album: str | None = None  # a template, see `core.naming`
    album_id: AlbumId | None = None  # wins over `album`
    ignore: IgnorePatterns = field(default_factory=lambda: compile_ignore(()))
    include_hidden: bool = False
    follow_symlinks: bool = False  # whether what links below the root lead to belongs to it
    settle: float = 10.0
    poll_interval: float = 60.0
    root_check: float = 30.0  # between two looks at the root: a mount goes without any event
    scan_at: time = time(3, 30)  # local time of the daily full scan
    scan_every: float | None = None  # instead of `scan_at`
    watch: str = "auto"  # auto | inotify | poll
    trashed: str = "leave"  # leave | restore | report: what Immich's trash holds of it
    on_delete: str = "ignore"  # ignore | trash: what becomes in Immich of what is deleted here
    delete_after: float = 600.0  # a file stays gone for so long before that counts
    after_upload: str = "keep"  # keep | quarantine | delete: what becomes here of what is in Immich
    cleanup_after: float = 30 * 86400.0  # a file lies still, in Immich, for so long before that
    quarantine_for: float = 30 * 86400.0  # and for so long in quarantine before it is deleted there
    quarantine_dir: bytes = b""  # absolute; b"": none
    deletes_reach_phone: bool = False  # whether a cleanup may empty what Syncthing shares
    expect_new: float = inf  # after so long without a new photo, people want to know

    @property
    def cleans(self) -> bool:
        """Whether what is in Immich goes from here."""
        return self.after_upload != "keep"

    @property
    def wants_album(self) -> bool:
        """Whether its photos belong into an album."""
        return self.album is not None or self.album_id is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once and how long between tries; times in seconds."""

    in_flight: int = 64  # jobs being worked on
    uploads: int = 5  # at once, per account
    hash_threads: int | None = None  # per disk; None: one for a spinning disk, else the cores
    probe_every: float = 30.0  # between two questions to a server that is down
    retry_first: float = 30.0  # before a failed file's second attempt
    retry_longest: float = 6 * 3600.0
    connect_timeout: float = 10.0
    stall_timeout: float = 60.0  # an upload that moves no byte for so long is broken
    answer_timeout: float = 300.0  # between the last byte sent and the server's answer


@dataclass(frozen=True, slots=True)
class Health:
    """Where questions about health are answered over HTTP."""

    host: str  # an IP address, or localhost
    port: int  # 0: any free one
    hosts: tuple[str, ...] = ()  # further names that a question may be addressed to


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told of what needs a person, and when; times in seconds."""

    webhook: Secret | None = None  # a URL, which may hold a password
    apprise: tuple[Secret, ...] = ()  # URLs in Apprise's own forms
    after: float = 300.0  # what is over sooner is not told
    stuck_after: float = 6 * 3600.0  # without anything that could be uploaded
    remind_after: float = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Setup:
    """All that was configured, resolved: what the daemon is started with."""

    accounts: tuple[Account, ...]
    folders: tuple[Folder, ...]
    limits: Limits
    state: str  # the folder that holds the state, absolute
    health: Health | None = None  # None: nobody is answered
    notify: Notify = field(default_factory=Notify)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log line may hold."""
        keys = (account.api_key for account in self.accounts)
        return (*keys, *filter(None, (self.notify.webhook,)), *self.notify.apprise)
