"""What `explain` found, as lines; the last one says what happens next.

Its own module because the same values are also JSON.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from immich_sync.cli.screens import words
from immich_sync.core.explanation import Explanation, Fact, InImmich, Live, Sight

_ORIGINS = {
    "uploaded": "uploaded from here",
    "found": "was there already",
    "cleaned": "cleaned away here",
}
_ALBUM = "album"
_EVENTS = 5
"""Events on the screen; `--json` has more."""


def lines(found: Explanation, now: float) -> Iterator[str]:
    """A line for each thing that is known; `now` is wall-clock seconds."""
    yield found.path
    if found.folder is not None:
        yield _line("folder", found.folder)
    yield _line("taken", _taken(found.sight))
    yield from _bytes(found)
    for name, text in (("live photo", found.live_photo), ("sidecar", found.sidecar)):
        if text:
            yield _line(name, text)
    yield from (_fact(fact) for fact in found.facts if fact.what != _ALBUM)
    if found.asset is not None:
        yield from _asset(found.asset, [fact for fact in found.facts if fact.what == _ALBUM])
    yield from (_line("same bytes", copy) for copy in found.copies)
    if found.daemon is not None:
        yield from _daemon(found.daemon, now)
    yield from _listed("errors", found.errors)
    yield from _listed("lately", found.events)
    yield ""
    yield f"Next: {found.next}{_when(found.next_at, now)}"


def _asset(asset: InImmich, albums: Sequence[Fact]) -> Iterator[str]:
    """The asset with its albums, and its link last."""
    yield _line("in Immich", _ORIGINS[asset.origin])
    for fact, link in zip_longest(albums, asset.albums):
        name = "" if fact is None else fact.detail
        yield _line(_ALBUM, "  ".join(filter(None, (name, link))))
    yield _line("link", asset.link)


def _taken(sight: Sight) -> str:
    there = "" if sight.lies in {"file", "directory"} else f" ({_LIES[sight.lies]})"
    if not sight.rule:
        return f"yes{there}" if sight.reason == "" else f"{sight.reason}{there}"
    by = f": {sight.by}" if sight.by else ""
    return f"no{there}, by the rule {sight.rule}: {sight.reason}{by and f' [{by[2:]}]'}"


_LIES = {
    "nothing": "nothing lies there now",
    "link": "a symbolic link",
    "special": "a pipe, socket or device",
    "unknown": "it cannot be looked at",
}


def _bytes(found: Explanation) -> Iterator[str]:
    if found.disk is not None:
        at = words.moment(found.disk.mtime_ns / 1e9)
        yield _line("on the disk", f"{words.size(found.disk.size)}, of {at}")
    if found.checksum is not None:
        known = "of what lies there" if found.same else "of what was there when it was last read"
        yield _line("SHA-1", f"{found.checksum}, {known}")


def _daemon(live: Live, now: float) -> Iterator[str]:
    why = f": {live.why}" if live.why else ""
    yield _line("daemon", f"the folder is {live.folder_state}{why}")
    if live.server_trouble:
        since = "" if live.server_since is None else f", {words.ago(live.server_since, now)}"
        yield _line("server", f"{live.server_trouble}{since}")


def _listed(title: str, facts: Sequence[Fact]) -> Iterator[str]:
    if facts:
        yield f"{title}:"
    yield from map(_fact, facts[:_EVENTS])


def _fact(fact: Fact) -> str:
    at = "" if fact.at is None else words.moment(fact.at)
    return _line(fact.what.replace("_", " "), "  ".join(filter(None, (at, fact.detail))))


def _line(name: str, text: str) -> str:
    return f"  {name:<13} {text}" if text else f"  {name}"


def _when(at: float | None, now: float) -> str:
    if at is None or abs(at - now) < 1:
        return ""
    if at < now:
        return f" ({words.moment(at)})"
    return f" ({words.moment(at)}, in {words.span(at - now)})"
