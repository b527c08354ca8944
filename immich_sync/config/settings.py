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
AfterUpload = Annotated[str, PlainValidator(values.one_of("keep"))]
UpTo64 = Annotated[int, PlainValidator(values.whole(1, 64))]
UpTo1024 = Annotated[int, PlainValidator(values.whole(1, 1024))]


class _Table(BaseModel):
    """A table: keys that it does not know are mistakes, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AccountTable(_Table):
    """`[server]` and `[accounts.NAME]`: where and as whom."""

    url: Something | None = None
    api_key_file: Path | None = None
    api_key: Text | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    min_server_free: Size | None = None


class FolderRules(_Table):
    """`[defaults]`: what a folder does not say itself. An empty album means none."""

    account: Something | None = None
    album: Text | None = None
    album_id: Text | None = None
    ignore: Patterns | None = None
    include_hidden: YesOrNo | None = None
    settle: Duration | None = None
    poll_interval: Duration | None = None
    root_check: Duration | None = None
    scan_at: ClockTime | None = None
    scan_every: Duration | None = None
    watch: Watch | None = None
    trashed: Trashed | None = None
    on_delete: OnDelete | None = None
    delete_after: Duration | None = None
    expect_new: DurationOrNever | None = None
    after_upload: AfterUpload | None = None


class FolderTable(FolderRules):
    """One of `[[folders]]`."""

    path: Path
    name: Something | None = None


class LimitsTable(_Table):
    """`[limits]`: the fields of `core.folder.Limits`, by the same names."""

    in_flight: UpTo1024 | None = None
    uploads: UpTo64 | None = None
    hash_threads: UpTo64 | None = None
    probe_every: Duration | None = None
    retry_first: Duration | None = None
    retry_longest: Duration | None = None
    connect_timeout: Duration | None = None
    stall_timeout: Duration | None = None
    answer_timeout: Duration | None = None


class HealthTable(_Table):
    """`[health]`: where Prometheus and others may ask; nowhere unless it is said."""

    listen: Address = None
    hosts: Names = ()


class NotifyTable(_Table):
    """`[notify]`: who is told of what needs a person. A file's content wins over its neighbour."""

    webhook_url_file: Path | None = None
    webhook_url: WebAddress | None = None
    apprise_urls_file: Path | None = None
    after: Duration | None = None
    stuck_after: Duration | None = None
    remind_after: DurationOrNever | None = None


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
