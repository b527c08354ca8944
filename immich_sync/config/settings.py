"""What may be written, in the file and in the environment: the tables, their keys, their types.

Its own module because it is the reference people look things up in; nothing here looks at a disk.
Everything is optional: what must be there is asked for when file and environment are merged.
"""

from datetime import time
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from immich_sync.config import values

Text = Annotated[str, PlainValidator(values.text)]
Something = Annotated[str, PlainValidator(values.something)]
Path = Annotated[str, PlainValidator(values.path)]
Duration = Annotated[float, PlainValidator(values.duration)]
DurationOrNever = Annotated[float, PlainValidator(values.duration_or_never)]
Address = Annotated[tuple[str, int] | None, PlainValidator(values.address)]
Names = Annotated[tuple[str, ...], PlainValidator(values.names)]
WebAddress = Annotated[str, PlainValidator(values.web_address)]
YesOrNo = Annotated[bool, PlainValidator(values.yes_or_no)]
Size = Annotated[int, PlainValidator(values.size)]
ClockTime = Annotated[time, PlainValidator(values.clock_time)]
Patterns = Annotated[tuple[str, ...], PlainValidator(values.patterns)]
Watch = Annotated[str, PlainValidator(values.one_of("auto", "inotify", "poll"))]
Trashed = Annotated[str, PlainValidator(values.one_of("leave", "restore", "report"))]
OnDelete = Annotated[str, PlainValidator(values.one_of("ignore", "trash"))]
AfterUpload = Annotated[str, PlainValidator(values.one_of("keep", "quarantine", "delete"))]
UpTo64 = Annotated[int, PlainValidator(values.whole(1, 64))]
UpTo1024 = Annotated[int, PlainValidator(values.whole(1, 1024))]


class _Table(BaseModel):
    """A table: keys that it does not know are mistakes, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AccountTable(_Table):
    """`[server]` and `[accounts.NAME]`: where and as whom."""

    url: Something | None = None
    """The server's address, with or without `/api`. Required for `[server]`; other accounts have
    the same server unless they say otherwise. Also `IMMICH_INSTANCE_URL`."""
    api_key_file: Path | None = None
    """A file that holds the API key and nothing else (mode 600). Without it: systemd's credential
    `immich-api-key`, the Docker secret `immich_api_key`, `api_key`, `IMMICH_API_KEY`; for another
    account the same names followed by `-NAME`."""
    api_key: Text | None = None
    """The key itself, in a file that only you may read (mode 600)."""
    ca_file: Path | None = None
    """A PEM file with an authority that is trusted beside the system's."""
    client_cert: Path | None = None
    """A PEM file with the certificate that we show to a server which asks for one."""
    client_key: Path | None = None
    """Its key, without a passphrase; not needed if it stands in the same file."""
    min_server_free: Size | None = None
    """Uploads pause while the server's disk has less left; `"0"` never asks. Needs the permission
    `server.storage`; without it nothing pauses."""


class FolderRules(_Table):
    """`[defaults]`: what a folder does not say itself. An empty album means none."""

    account: Something | None = None
    """Whose photos these are: `default` for `[server]`, else the NAME of `[accounts.NAME]`."""
    album: Text | None = None
    """The album that they go into: a name, with fields `{parent}` (the directory that a file lies
    in), `{folder}` (the watched folder), `{path}` (the way between them), `{date:%Y-%m}` (the
    file's own time). Empty: none."""
    album_id: Text | None = None
    """The album's id instead of its name; it stands at the end of its address in the browser."""
    ignore: Patterns | None = None
    """Patterns as in gitignore, over the built-in list; in the environment with `:` between
    them."""
    include_hidden: YesOrNo | None = None
    """Whether names that begin with a dot count as well."""
    follow_symlinks: YesOrNo | None = None
    """Whether what symbolic links in the folder lead to is uploaded as well, wherever it lies. Only
    where nobody else writes: they could name any file. Not together with `after_upload` or
    `on_delete`."""
    settle: Duration | None = None
    """How long a file must hold still if nothing tells that it is whole."""
    poll_interval: Duration | None = None
    """How often a folder is looked through that sends no events (NFS, SMB, FUSE); never more often
    than twenty times as long as that takes."""
    root_check: Duration | None = None
    """How often to look whether the folder's disk is still mounted."""
    scan_at: ClockTime | None = None
    """The time of day of the full scan."""
    scan_every: Duration | None = None
    """The time between two full scans, instead of `scan_at`."""
    watch: Watch | None = None
    """`auto`: as the file system wants it; `inotify`: by events; `poll`: by looking."""
    trashed: Trashed | None = None
    """What Immich's trash holds of these photos: `leave` it there, `restore` it, or `report` it as
    a problem."""
    on_delete: OnDelete | None = None
    """What becomes of a photo in Immich that is deleted here: `ignore` it, or put it into Immich's
    `trash`. Not together with `after_upload`."""
    delete_after: Duration | None = None
    """How long a file stays gone before that counts as deleted."""
    expect_new: DurationOrNever | None = None
    """After so long without a new photo people are told: a phone that stopped syncing says nothing
    itself."""
    after_upload: AfterUpload | None = None
    """What becomes of the file here once it is proved to be in Immich: `keep`, `quarantine`,
    `delete`."""
    cleanup_after: Duration | None = None
    """A file lies still for so long, proved to be in Immich, before `after_upload` is done."""
    quarantine_for: Duration | None = None
    """A file lies in quarantine, to be brought back by `undo`, for so long before it is deleted."""
    quarantine_dir: Path | None = None
    """Where the quarantine is: a folder outside of every watched one, best on the same disk."""
    deletes_reach_phone: YesOrNo | None = None
    """Whether what Syncthing shares may be cleaned: the phone deletes its files as well."""


class FolderTable(FolderRules):
    """One of `[[folders]]`."""

    path: Path
    """The folder, absolute. Required."""
    name: Something | None = None
    """How commands and logs call it; the end of its path, unless said otherwise."""


class LimitsTable(_Table):
    """`[limits]`: the fields of `core.folder.Limits`, by the same names."""

    in_flight: UpTo1024 | None = None
    """Files being worked on at once, 1 to 1024."""
    uploads: UpTo64 | None = None
    """Uploads at once for each account, 1 to 64."""
    hash_threads: UpTo64 | None = None
    """Files read at once from each disk, 1 to 64. Not said: one for a disk that spins, else as many
    as there are cores."""
    probe_every: Duration | None = None
    """The time between two questions to a server that is down."""
    retry_first: Duration | None = None
    """The time before a failed file's second attempt; it doubles with each one …"""
    retry_longest: Duration | None = None
    """… up to this."""
    connect_timeout: Duration | None = None
    """The time within which the server must accept a connection."""
    stall_timeout: Duration | None = None
    """An upload that moves no byte for so long is broken."""
    answer_timeout: Duration | None = None
    """The time between the last byte sent and the server's answer."""


class HealthTable(_Table):
    """`[health]`: where Prometheus and others may ask; nowhere unless it is said."""

    listen: Address = None
    """The address and port that `/healthz`, `/readyz` and `/metrics` are answered at. Empty:
    none."""
    hosts: Names = ()
    """Further host names that a question may be addressed to."""


class NotifyTable(_Table):
    """`[notify]`: who is told of what needs a person. A file's content wins over its neighbour."""

    webhook_url_file: Path | None = None
    """A file that holds an address which is sent JSON; for addresses that are secrets."""
    webhook_url: WebAddress | None = None
    """The address itself."""
    apprise_urls_file: Path | None = None
    """A file of Apprise's addresses, one in a line; needs `pip install 'immich-syncd[notify]'`."""
    after: Duration | None = None
    """What is over sooner is not told."""
    stuck_after: Duration | None = None
    """People are told when nothing could be uploaded for so long."""
    remind_after: DurationOrNever | None = None
    """The time until the same is told again while it lasts; or `never`."""


class Settings(BaseSettings):
    """The whole file; environment variables `IMMICH_SYNC_…` go over it."""

    model_config = SettingsConfigDict(
        env_prefix="IMMICH_SYNC_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,  # a text in the environment is what it says, never JSON
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    state_dir: Path | None = None
    """Where what has been learnt is kept: a folder on a local disk, outside every watched folder.
    Without it `$STATE_DIRECTORY` (systemd), else `~/.local/state/immich-sync`."""
    server: AccountTable = AccountTable()
    accounts: dict[str, AccountTable] = {}
    defaults: FolderRules = FolderRules()
    folders: Annotated[tuple[FolderTable, ...], BeforeValidator(values.folder_list)] = ()
    limits: LimitsTable = LimitsTable()
    health: HealthTable = HealthTable()
    notify: NotifyTable = NotifyTable()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over what the file said; no other source."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings
