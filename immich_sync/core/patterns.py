"""The patterns by which a user's folder passes names over, in gitignore's language.

Its own module because it is the one place that knows pathspec. `core.media` is the door to it.
"""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern


@dataclass(frozen=True, slots=True)
class IgnorePatterns:
    """A folder's own patterns, compiled; equal where the patterns are. Made by `compile_ignore`."""

    patterns: tuple[str, ...]
    _spec: GitIgnoreSpec = field(compare=False, repr=False)

    def matches(self, relative: bytes, *, directory: bool) -> str | None:
        """The pattern by which a path below the folder's root is passed over, or None.

        As in git the last pattern that matches decides, and one that begins with `!` takes back
        what came before it, but nothing below a directory that is passed over.
        """
        if not self.patterns:
            return None
        # A newline is the one character that a compiled pattern's dot does not match.
        path = relative.decode("utf-8", "surrogateescape").replace("\n", "\r")
        found = self._spec.check_file(path + "/" if directory else path)
        return self.patterns[found.index] if found.include and found.index is not None else None


def compile_ignore(patterns: Iterable[str]) -> IgnorePatterns:
    """The patterns ready for use: gitignore's (gitignore(5)), relative to the folder's root.

    Raises ValueError, naming the pattern and what to write instead, for one that is no pattern or
    that could never match: in a list of patterns a comment or a blank one is a mistake.
    """
    given = tuple(patterns)
    compiled = []
    for pattern in given:
        if wrong := _what_is_wrong(pattern):
            raise ValueError(f"ignore pattern {pattern!r}: {wrong}")
        try:
            with warnings.catch_warnings():  # of sets that may mean more one day: "[[" is a set
                warnings.simplefilter("ignore", FutureWarning)
                one = GitIgnoreSpecPattern(pattern)
                bounded = None if one.regex is None else _bounded(one.regex)
        except (ValueError, re.error) as error:
            raise ValueError(f"ignore pattern {pattern!r} is not a gitignore pattern") from error
        if one.include is None:
            raise ValueError(f"ignore pattern {pattern!r} can never match anything")
        compiled.append(GitIgnoreSpecPattern(bounded, one.include))
    return IgnorePatterns(given, GitIgnoreSpec(compiled, backend="simple"))


_STAR = "[^/]*"  # what pathspec makes of a `*`


def _bounded(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """The same language, matched in a time that does not grow with the power of its stars.

    Within a segment, the first place where what follows a `*` fits is as good as any later one,
    unless it ends the segment: there is no need to come back to it.
    """
    first, *rest = pattern.pattern.split(_STAR)
    text = first
    for number, part in enumerate(rest):
        is_last = number == len(rest) - 1 or "/" in part
        text += _STAR + part if is_last else f"(?>{_STAR}?{part})"
    return re.compile(text, pattern.flags)


def _what_is_wrong(pattern: str) -> str | None:
    if not pattern.strip():
        return "it is empty; remove it"
    if pattern.startswith("#"):
        return f"it would be a comment; for names that begin with # write '\\{pattern}'"
    if "\n" in pattern or "\r" in pattern or "\0" in pattern:
        return "it holds a line break or NUL; write one pattern per entry"
    return None
