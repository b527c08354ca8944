"""Everything one sandbox holds: who, what, and which bytes on disk.

Its own module because the endpoints are functions over this one object, and because a simulation
replaces its clock and its source of ids.
"""

import random
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path

from immich_sync.sandbox.journal import Journal, Relation, Table
from immich_sync.sandbox.records import (
    Album,
    ApiKey,
    Asset,
    Session,
    SharedLink,
    Stack,
    Tag,
    User,
)

ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "password"  # noqa: S105 (the sandbox's own, documented: there is nothing to protect)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it was answered; `status` is None when the client left first."""

    method: str
    path: str
    status: int | None


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """The moment as the server writes it: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class State:
    """What the server knows, and the one place that changes it.

    `now` is the only clock that decides anything and `rng` the only source of ids and secrets:
    with both given, a run is the same every time.  With `keep`, all changes are also written to
    `data/journal.jsonl`, and found again by the next State over the same folder.
    """

    def __init__(  # noqa: PLR0913 (each is a setting of the server, all by keyword)
        self,
        data: Path,
        *,
        version: str = "3.1.0",
        api_key: str | None = None,
        now: Callable[[], datetime] = utc_now,
        rng: random.Random | None = None,
        keep: bool = False,
        trash: bool = True,
        thumbnail_delay: timedelta = timedelta(seconds=0.25),
    ) -> None:
        major, minor, patch = version.split(".")
        self.version = (int(major), int(minor), int(patch))
        self.data = data
        self.now = now
        self.trash = trash
        self.thumbnail_delay = thumbnail_delay
        self.maintenance = False
        self.free: int | None = None  # bytes left on its disk; None: what is really left
        self.requests: list[Exchange] = []
        self._rng = rng or random.Random()  # noqa: S311 (nothing here is worth guessing)
        self.incoming = data / "incoming"
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.incoming.mkdir(parents=True)
        self._journal = Journal(data / "journal.jsonl" if keep else None)
        self.users = Table("user", User, self._journal)
        self.api_keys = Table("api_key", ApiKey, self._journal)
        self.sessions = Table("session", Session, self._journal)
        self.assets = Table("asset", Asset, self._journal)
        self.albums = Table("album", Album, self._journal)
        self.tags = Table("tag", Tag, self._journal)
        self.stacks = Table("stack", Stack, self._journal)
        self.links = Table("link", SharedLink, self._journal)
        self.members = Relation("member", self._journal)
        self.tagged = Relation("tagged", self._journal)
        self.linked = Relation("linked", self._journal)
        self._journal.replay()
        self._by_checksum = {
            (a.owner_id, a.checksum): a.id for a in self.assets if a.library_id is None
        }
        self._by_secret = {k.secret: k.id for k in self.api_keys}
        self.admin = next((u for u in self.users if u.is_admin), None) or self.add_user(
            ADMIN_EMAIL, "Admin", ADMIN_PASSWORD, is_admin=True
        )
        self.api_key = self._first_key(api_key)

    def _first_key(self, wanted: str | None) -> str:
        keys = [k for k in self.api_keys if k.user_id == self.admin.id]
        if wanted is None and keys:
            return keys[0].secret
        known = next((k for k in keys if k.secret == wanted), None)
        return (known or self.add_key(self.admin.id, "sandbox", ("all",), wanted)).secret

    @property
    def modern(self) -> bool:
        """Whether this is a 3.x server."""
        return self.version >= (3, 0, 0)

    def stamp(self) -> str:
        """Now, as the server writes it."""
        return iso(self.now())

    def new_id(self) -> str:
        """A fresh UUID."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def new_secret(self) -> str:
        """A fresh key or token."""
        return f"{self._rng.getrandbits(256):064x}"[:43]

    def add_user(
        self,
        email: str,
        name: str,
        password: str,
        *,
        is_admin: bool = False,
        quota: int | None = None,
    ) -> User:
        """A new account exists; `quota` is in bytes."""
        return self.users.put(
            User(self.new_id(), email, name, password, is_admin, quota, self.stamp())
        )

    def add_key(
        self, user_id: str, name: str, permissions: tuple[str, ...], secret: str | None = None
    ) -> ApiKey:
        """A new key works."""
        secret = secret or self.new_secret()
        key = ApiKey(self.new_id(), user_id, name, secret, permissions, self.stamp())
        self._by_secret[key.secret] = key.id
        return self.api_keys.put(key)

    def drop_key(self, key: ApiKey) -> None:
        """The key does not work any more."""
        self._by_secret.pop(key.secret, None)
        self.api_keys.drop(key.id)

    def key_of(self, secret: str) -> ApiKey | None:
        """The key with this secret, or None."""
        return self.api_keys.get(self._by_secret.get(secret))

    def asset_of(self, owner_id: str, checksum: str) -> Asset | None:
        """The owner's asset with these bytes (SHA-1 in hex), in the trash or not, or None."""
        return self.assets.get(self._by_checksum.get((owner_id, checksum)))

    def add_asset(self, asset: Asset) -> Asset:
        """A new asset is known by its id and by its checksum."""
        self._by_checksum[asset.owner_id, asset.checksum] = asset.id
        return self.assets.put(asset)

    def add_library_asset(self, path: str, *, owner_id: str | None = None) -> Asset:
        """An external library of the owner's (the administrator's) has found a file at `path`.

        Its checksum is that of its path (Immich 3.1: library.service), so it is no duplicate of
        anything. Its bytes are not here.
        """
        now, name = self.stamp(), path.rpartition("/")[2]
        owner = owner_id or self.admin.id
        library = next((a.library_id for a in self.assets if a.library_id), None) or self.new_id()
        return self.assets.put(
            Asset(
                id=self.new_id(),
                owner_id=owner,
                checksum=sha1(f"path:{path}".encode(), usedforsecurity=False).hexdigest(),
                size=0,
                kind="IMAGE",
                original_file_name=name,
                path=path,
                file_created_at=now,
                file_modified_at=now,
                created_at=now,
                updated_at=now,
                library_id=library,
            )
        )

    def erase(self, asset: Asset) -> None:
        """The asset and its bytes are gone; the server keeps no trace of its checksum.

        A live photo takes its motion part with it (Immich 3.1: asset.service).
        """
        self.unstack(asset)
        self.assets.drop(asset.id)
        for relation in (self.members, self.tagged, self.linked):
            relation.forget(asset.id)
        motion = self.assets.get(asset.live_photo_video_id)
        if motion is not None and motion.id not in {a.live_photo_video_id for a in self.assets}:
            self.erase(motion)
        if asset.library_id is not None:
            return  # it never had a checksum of its own, and the file is not the server's
        self._by_checksum.pop((asset.owner_id, asset.checksum), None)
        for path in (asset.path, asset.sidecar):
            if path is not None:
                (self.data / path).unlink(missing_ok=True)

    def unstack(self, asset: Asset) -> None:
        """A stack that loses its primary asset, or all but one, is no stack any more."""
        stack = self.stacks.get(asset.stack_id)
        if stack is None:
            return
        rest = [a for a in self.assets if a.stack_id == stack.id and a.id != asset.id]
        if asset.id == stack.primary_id or len(rest) == 1:
            self.dissolve(stack)

    def dissolve(self, stack: Stack) -> list[Asset]:
        """The stack is gone; its assets, free again, are returned."""
        freed = [
            self.assets.put(replace(a, stack_id=None))
            for a in self.assets
            if a.stack_id == stack.id
        ]
        self.stacks.drop(stack.id)
        return freed

    def usage(self, user_id: str) -> int:
        """Bytes that count against the user's quota."""
        return sum(a.size for a in self.assets if a.owner_id == user_id and not a.library_id)

    def close(self) -> None:
        """The journal is closed."""
        self._journal.close()
