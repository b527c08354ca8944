"""News in words, and in JSON.

Its own module because all channels say the same, and a webhook's JSON is a promise.
"""

from dataclasses import dataclass

from immich_sync.core.conditions import Condition, Key, News
from immich_sync.version import VERSION

PROGRAM = "immich-sync"

_TITLES = {
    "given_up": "files that will not go up",
    "stuck": "nothing can be uploaded",
    "key_refused": "the API key is refused",
    "server_full": "the server is full",
    "folder_offline": "a folder is offline",
    "silent": "nothing new comes in",
    "approval": "your word is needed",
    "breaker": "your word is needed",
    "deletions_stopped": "nothing is deleted for now",
    "cleanup_stopped": "a folder is not cleaned",
    "state": "its own disk fails",
    "ended": "it has ended",
}


class NotDelivered(Exception):
    """A channel did not take a message; the text says why, and never to which address."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is delivered: a line, some sentences, and the same for programs."""

    kind: str  # trouble | reminder | well | test
    title: str
    text: str
    conditions: tuple[Condition, ...] = ()
    over: tuple[Key, ...] = ()

    def as_json(self) -> dict[str, object]:
        """What a webhook gets. Fields are added, and never changed."""
        return {
            "program": PROGRAM,
            "version": VERSION,
            "kind": self.kind,
            "title": self.title,
            "text": self.text,
            "conditions": [
                {
                    "condition": one.what,
                    "subject": one.subject,
                    "text": one.text,
                    "since": one.since,
                }
                for one in self.conditions
            ],
            "over": [{"condition": what, "subject": subject} for what, subject in self.over],
        }


TEST = Message(
    "test", f"{PROGRAM}: a test", "If you can read this, you will be told when something is wrong."
)


def message_of(news: News) -> Message:
    """The news in words."""
    if news.all_well:
        return Message(
            "well", f"{PROGRAM}: all is well again", "Nothing needs you any more.", over=news.over
        )
    lines = [one.text for one in news.new]
    lines += [f"Still: {one.text}" for one in news.still]
    lines += [f"Over: {_TITLES[what]}{f' ({of})' if of else ''}." for what, of in news.over]
    conditions = (*news.new, *news.still)
    titles = list(dict.fromkeys(_TITLES[one.what] for one in news.new or news.still))
    title = f"{PROGRAM}: {'; '.join(titles)}"
    return Message(news.kind, title, "\n".join(lines), conditions, news.over)
