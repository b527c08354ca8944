"""What needs a person, as conditions that stand or do not, and when a person is told of them.

Its own module because it is pure: a status and a clock decide it. Events would tell a person a
hundred times of one outage; a condition is told once, again after a while, and once when all is
well.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from immich_sync.core.folder import Setup
from immich_sync.core.status import FolderStatus, Problem, ServerStatus, Status

KINDS = (
    "given_up", "stuck", "key_refused", "server_full", "folder_offline", "silent", "approval",
    "breaker", "deletions_stopped", "cleanup_stopped", "state", "ended",
)  # fmt: skip
"""Every kind there is, in the order in which they are told."""

GROWN = 86_400.0
"""Seconds after which a condition that has become worse is told again, before any reminder."""

HANGING = 600.0
"""Seconds after the start in which a disk that answers has answered."""

_PROBLEMS: Mapping[str, str] = {
    "state": "state",
    "other_user": "approval",
    "doubtful_server": "approval",
    "no_room": "server_full",
    "deletions": "breaker",
    "changes": "breaker",
    "library": "breaker",
    "newer_server": "deletions_stopped",
    "not_deleted": "deletions_stopped",
    "quarantine": "cleanup_stopped",
    "shared": "cleanup_stopped",
    "silent": "silent",
    "mount": "folder_offline",
}
"""Kinds of problems in the status that are conditions as they stand."""

Key = tuple[str, str]
"""A condition's kind and subject: what makes it the same one a day later."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that needs a person; `since` is wall-clock seconds, as far as it is known."""

    what: str  # one of KINDS
    subject: str  # a folder's or an account's name; "" for the whole
    text: str  # one sentence, and what can be done
    since: float | None = None
    weight: int = 1  # how bad it is: more of it may be told anew

    @property
    def key(self) -> Key:
        """What makes it this one."""
        return self.what, self.subject


@dataclass(frozen=True, slots=True)
class Told:
    """A condition that somebody was told of, when (wall-clock seconds), and how bad it was."""

    what: str
    subject: str
    at: float
    weight: int = 1
    sure: bool = True  # False: we died while it was being told, and it may not have arrived

    @property
    def key(self) -> Key:
        """The condition's."""
        return self.what, self.subject


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told now: what is new, what stands still, what is over since it was told."""

    new: tuple[Condition, ...] = ()
    still: tuple[Condition, ...] = ()
    over: tuple[Key, ...] = ()

    @property
    def all_well(self) -> bool:
        """Whether nothing stands any more."""
        return not self.new and not self.still

    @property
    def kind(self) -> str:
        """In one word: trouble, reminder or well."""
        return "trouble" if self.new else "reminder" if self.still else "well"


def ended(why: str) -> Condition:
    """The program has ended by itself, and nothing will start it before this is mended."""
    return Condition("ended", "", f"Nothing is synced any more. {why}")


def failing_state(why: str) -> Condition:
    """Our own disk is full or failing: all waits."""
    return Condition("state", "", why)


def is_known(status: Status) -> bool:
    """Whether every folder was looked at, and every server asked, since the start."""
    looked = all(one.state != "starting" for one in status.folders)
    return looked and all(one.reachable is not None for one in status.servers)


def silences(
    folders: Iterable[FolderStatus],
    problems: Collection[Problem],
    setup: Setup,
    *,
    started: float,
    now: float,
) -> Iterator[Problem]:
    """Folders from which nothing new has come for so long as people want to know of.

    What was silent before its disk went away, or before it was doubted, stays so meanwhile: only
    something new ends it. `started` is when the process did, wall-clock seconds as `now`.
    """
    expected = {folder.name: folder.expect_new for folder in setup.folders}
    for folder in folders:
        since = started if folder.last_new is None else folder.last_new
        if folder.state in {"offline", "unapproved"}:
            away = [one.since for one in problems if one.path == folder.path]
            seen = min((one for one in away if one is not None), default=now)
        elif folder.state in {"watching", "scanning", "waiting"}:
            seen = now
        else:
            continue
        if seen - since >= expected.get(folder.name, inf):
            words = f"Nothing new has come from {folder.name} for {_span(now - since)}: has the"
            yield Problem("silent", folder.path, since, f"{words} phone stopped syncing?")


def standing(status: Status, setup: Setup, now: float) -> tuple[Condition, ...]:
    """The conditions that stand, each once, in the order of KINDS. `now` is wall-clock seconds."""
    found: dict[Key, Condition] = {}
    for one in _all(status, setup, now):
        found.setdefault(one.key, one)
    return tuple(sorted(found.values(), key=lambda one: (KINDS.index(one.what), one.subject)))


def news(
    conditions: Sequence[Condition],
    told: Iterable[Told],
    *,
    now: float,
    remind_after: float,
    brewing: bool = False,
) -> News | None:
    """What somebody who was told that much is to be told now; None if nothing.

    While something is `brewing`, which stands and does not count yet, all is not well.
    """
    known = {one.key: one for one in told}
    standing_keys = {one.key for one in conditions}
    over = tuple(key for key in known if key not in standing_keys)
    if not conditions:
        return News(over=over) if over and not brewing else None
    new = tuple(one for one in conditions if _is_new(one, known.get(one.key), now))
    still = tuple(one for one in conditions if one not in new)
    reminded = any(known[one.key].at + remind_after <= now for one in still)
    return News(new, still, over) if new or reminded else None


def told_perhaps(said: News, told: Sequence[Told], now: float) -> tuple[Told, ...]:
    """What somebody has been told if we die while these news are under way to them.

    They are told again then, since they may not have arrived; and of their end, since they may.
    """
    known = {one.key for one in told}
    new = (one for one in said.new if one.key not in known)
    return (*told, *(Told(one.what, one.subject, now, one.weight, sure=False) for one in new))


def told_after(said: News, now: float) -> tuple[Told, ...]:
    """What somebody has been told once these news have reached them."""
    return tuple(Told(one.what, one.subject, now, one.weight) for one in (*said.new, *said.still))


class Steady:
    """Conditions without their flutter.

    One counts once it has stood for `after` seconds, and no more once it has been gone for as
    long. `told` are those that counted before this start; for the first `after` seconds nothing
    can be said.
    """

    def __init__(self, after: float, told: Iterable[Key], now: float) -> None:
        self._after = after
        self._began = now
        self._first = dict.fromkeys(told, now)  # when one began to stand
        self._last = dict(self._first)  # when one was last seen to
        self._counting = set(self._first)
        self._seen: dict[Key, Condition] = {}

    def look(self, conditions: Collection[Condition], now: float) -> tuple[Condition, ...] | None:
        """Those that count now, given those that stand; None if that cannot be told yet."""
        for one in conditions:
            self._first.setdefault(one.key, now)
            self._last[one.key] = now
            self._seen[one.key] = one
        for key in list(self._first):
            self._look_at(key, now)
        if 0 <= now - self._began < self._after:
            return None
        return tuple(one for key, one in self._seen.items() if key in self._counting)

    @property
    def brewing(self) -> bool:
        """Whether something stands that does not count yet."""
        return not self._counting.issuperset(self._first)

    def _look_at(self, key: Key, now: float) -> None:
        # A clock may be set back: then the waiting begins anew.
        first = self._first[key] = min(now, self._first[key])
        last = self._last[key] = min(now, self._last[key])
        if last < now and now - last >= self._after:
            del self._first[key], self._last[key]
            self._counting.discard(key)
            self._seen.pop(key, None)
        elif now - first >= self._after:
            self._counting.add(key)


def _is_new(one: Condition, told: Told | None, now: float) -> bool:
    return told is None or not told.sure or (one.weight > told.weight and told.at + GROWN <= now)


def _all(status: Status, setup: Setup, now: float) -> Iterator[Condition]:
    names = {folder.path: folder.name for folder in status.folders}
    for problem in status.problems:
        if kind := _PROBLEMS.get(problem.what):
            subject = "" if kind == "state" else names.get(problem.path, problem.path)
            yield Condition(kind, subject, problem.advice, problem.since)
    advice = {one.path: one.advice for one in status.problems if one.what == "folder"}
    started = now if status.daemon is None else status.daemon.since
    for folder in status.folders:
        yield from _of_folder(folder, advice.get(folder.path, ""), now - started)
    for server in status.servers:
        mine = [one for one in status.folders if one.account == server.account]
        yield from _of_server(server, mine, setup.notify.stuck_after, now)


def _of_folder(folder: FolderStatus, why: str, running_for: float) -> Iterator[Condition]:
    if folder.failed:
        count = f"{folder.failed} {'file' if folder.failed == 1 else 'files'}"
        yield Condition(
            "given_up",
            folder.name,
            f"{count} of {folder.name} will not go up by themselves: see immich-sync status.",
            weight=folder.failed,
        )
    if folder.state == "unapproved":
        yield Condition(
            "approval",
            folder.name,
            f"{folder.name} waits for your word before anything of it goes up: {why}".rstrip(": "),
        )
    elif folder.state == "offline":
        yield Condition(
            "folder_offline", folder.name, f"{folder.name} is offline: {why}".rstrip(": ")
        )
    elif folder.state == "starting" and running_for >= HANGING:
        words = f"{folder.name} does not show itself: its disk seems to hang."
        yield Condition("folder_offline", folder.name, words)


def _of_server(
    server: ServerStatus, folders: Sequence[FolderStatus], stuck_after: float, now: float
) -> Iterator[Condition]:
    whose = f"of account {server.account}" if server.account != "default" else ""
    if server.trouble == "refused":
        yield Condition("key_refused", server.account, server.error or "", server.since)
    elif server.trouble == "full":
        yield Condition("server_full", server.account, server.error or "", server.since)
    since = _stuck_since(server, folders)
    if since is not None and now - since >= stuck_after:
        why = server.error or "see immich-sync status"
        words = f"Nothing {whose} could be uploaded for {_span(now - since)}: {why}"
        yield Condition("stuck", server.account, " ".join(words.split()), since)


def _stuck_since(server: ServerStatus, folders: Sequence[FolderStatus]) -> float | None:
    """Since when nothing has gone up although something should, or could not be asked to."""
    active = [one for one in folders if one.state in {"watching", "scanning"}]
    waiting = [one.waiting_since for one in active if one.waiting_since is not None]
    done = max((one.last_done for one in folders if one.last_done is not None), default=0.0)
    found = [max(min(waiting), done)] if waiting else []
    if server.since is not None:
        found.append(server.since)
    return min(found, default=None)


def _span(seconds: float) -> str:
    """A length of time as people say it."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= 2 * length or unit == "second":
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("there is a last unit")
