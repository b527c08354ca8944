"""Everything that can go wrong, as one tree whose depth says who is concerned.

    SyncTrouble
     ├─ FileTrouble      about one file; counted against its job
     │   ├─ FileChanged · FileVanished · FileUnreadable · Rejected · TooLarge · Suspected
     ├─ OutcomeUnknown   an upload broke; settled by asking for the checksum
     ├─ ServerTrouble    about the world; counted against no file, pauses the account
     │   ├─ Unreachable · Overloaded · Maintenance · NotImmich · Untrusted · Refused · Full
     │   └─ NoRoom           less left there than is wanted; pauses the account's uploads alone
     └─ StateTrouble     our own disk; pauses everything
         └─ StateDamaged      what it holds is no longer what was written; ends the program
    Misconfigured        what a person wrote cannot be used; ends the program with exit code 2

Its own module because the boundary raises these, the worker judges them and the command line
shows them. The text of each is one sentence for people: what happened, to what, what to do.
"""


class SyncTrouble(Exception):
    """Base of everything that keeps a file from being synced."""


class FileTrouble(SyncTrouble):
    """About one file: counted against its job."""


class FileChanged(FileTrouble):
    """The file moved under our hands: it has to settle again. Not a failure."""


class FileVanished(FileTrouble):
    """Nothing lies at the path any more: the job is forgotten. Not a failure."""


class FileUnreadable(FileTrouble):
    """The disk refused to show the file (permission, I/O error): tried again later."""


class Rejected(FileTrouble):
    """The server will never take this file: given up, and kept listed."""


class TooLarge(FileTrouble):
    """The route refuses a body of this size: held until the file or the route changes."""


class Suspected(FileTrouble):
    """Its upload breaks while small calls work, or only it gets a 500: long waits, visible."""


class OutcomeUnknown(SyncTrouble):
    """An upload broke or got no clear answer: only asking for the checksum tells what came of it.

    It never reaches the worker's verdict: the pipeline asks, and goes on with what it learns.
    """


class ServerTrouble(SyncTrouble):
    """About the server or the way to it: counted against no file, pauses the account."""


class Unreachable(ServerTrouble):
    """No answer: refused, reset, timed out, no such name."""


class Overloaded(ServerTrouble):
    """The server or a proxy asks for less (429, 5xx); `retry_after` in seconds if it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Maintenance(ServerTrouble):
    """Immich says that it is being maintained."""


class NotImmich(ServerTrouble):
    """Something else answers at this address: a login page, a redirect, a foreign JSON."""


class Untrusted(ServerTrouble):
    """The server's certificate could not be verified.

    `by_date`: it is not valid yet, or not any more, which a clock that is set right may mend.
    """

    def __init__(self, message: str, *, by_date: bool = False) -> None:
        super().__init__(message)
        self.by_date = by_date


class Refused(ServerTrouble):
    """The key is wrong or lacks a permission; `permission` names it if the server did."""

    def __init__(self, message: str, permission: str | None = None) -> None:
        super().__init__(message)
        self.permission = permission


class Full(ServerTrouble):
    """The user's quota or the server's disk is used up."""


class NoRoom(ServerTrouble):
    """The server has less left than `min_server_free`: uploads pause, all else goes on."""


class StateTrouble(SyncTrouble):
    """The disk that holds our own state is full or failing: everything waits, nothing is lost."""


class StateDamaged(StateTrouble):
    """The state file's bytes are wrong: no waiting mends that, the next start makes it anew."""


class Misconfigured(Exception):
    """What a person configured cannot be used; the text says what and how to mend it."""
