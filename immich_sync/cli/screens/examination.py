"""What `doctor` found, as lines; the last one says how it is on the whole.

Its own module because the same values are also JSON.
"""

from collections.abc import Iterator

from immich_sync.cli.screens import words
from immich_sync.core.diagnosis import ERROR, OK, WARNING, Examination

_MARKS = {OK: "✓", WARNING: "!", ERROR: "✗"}


def lines(found: Examination) -> Iterator[str]:
    """A line for each finding, its remedy below it, and the sum."""
    for one in found.findings:
        yield f"{_MARKS[one.level]} {' '.join(filter(None, (one.what, one.subject)))}: {one.said}"
        if one.remedy:
            yield f"    {one.remedy}"
    yield ""
    yield _sum(found)


def _sum(found: Examination) -> str:
    errors = sum(one.level == ERROR for one in found.findings)
    warnings = sum(one.level == WARNING for one in found.findings)
    if not errors and not warnings:
        return "All is well."
    said = (
        words.count(number, what)
        for number, what in ((errors, "error"), (warnings, "warning"))
        if number
    )
    return f"{', '.join(said)}."
