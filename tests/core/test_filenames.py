"""Names of downloaded files: what a header may say, and that it never leads out of a folder."""

import os
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.filenames import (
    LONGEST,
    by_server,
    chosen,
    extension,
    is_safe,
    numbered,
    suffixed,
)

UNSAFE = [
    *("", ".", "..", "a/b", "a\\b", "/", "a\0b", "a\nb.jpg", "\x7f.jpg", "a\u2028b", "\x85.jpg"),
    *("con", "CON.jpg", "nul.tar.gz", "Com1.jpg", "lpt9", "COM².jpg", "aux .jpg", "conin$"),
    *("a.", "a ", "a" * 256, "ä" * 128, "\udcff.jpg"),
]


@pytest.mark.parametrize("name", UNSAFE)
def test_names_that_are_refused(name: str) -> None:
    """Row 20: parents, controls, devices, what is too long and what is no text are no names."""
    assert not is_safe(name)


@pytest.mark.parametrize(
    "name", ["a.jpg", ".a", "...a", " a", "Größe 1.jpg", "controls.jpg", "com10", "a" * 255, "ä"]
)
def test_names_that_are_taken(name: str) -> None:
    """What only looks like one of those is a name."""
    assert is_safe(name)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (None, None),
        ("inline", None),
        ("inline; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.jpg", "Größe 1.jpg"),
        ("attachment; filename*=iso-8859-1'de'%E4.jpg", "ä.jpg"),
        ('attachment; filename="a b.jpg"', "a b.jpg"),
        (r'attachment; filename="a\"b.jpg"', 'a"b.jpg'),
        ("attachment; filename=a.jpg; size=3", "a.jpg"),
        ("attachment; filename=a.jpg; filename*=UTF-8''%C3%A4.jpg", "ä.jpg"),
        ("inline; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        (r'inline; filename="C:\\Windows\\a.jpg"', "a.jpg"),
        ("inline; filename*=UTF-8''..", None),
        ("inline; filename*=UTF-8''a%00.jpg", None),
        ("inline; filename*=UTF-8''a%0A.jpg", None),
        ('inline; filename="nul.jpg"', None),
        (f"inline; filename={'a' * 300}.jpg", None),
        ("inline; filename*=klingon''a.jpg", None),
    ],
)
def test_what_the_server_calls_it(disposition: str | None, name: str | None) -> None:
    """Row 20: a header's name is read in all its spellings; of a path, its end is taken."""
    assert by_server(disposition) == name


@pytest.mark.parametrize(
    ("mine", "served", "kind", "name"),
    [
        (None, "a.jpg", "image/png", "a.jpg"),
        (None, "a", "image/png", "a.png"),
        (None, None, "image/jpeg; charset=x", "orig-1.jpg"),
        (None, None, "video/quicktime", "orig-1.mov"),
        (None, None, None, "orig-1"),
        (None, None, "application/x-unheard-of", "orig-1"),
        ("mine", "a.heic", "image/heic", "mine.heic"),
        ("mine", None, "image/webp", "mine.webp"),
        ("mine.JPG", "a.heic", "image/heic", "mine.JPG"),
        ("mine.2024", "a.heic", "image/heic", "mine.2024"),
        (".mine", "a.heic", None, ".mine.heic"),
    ],
)
def test_chosen(mine: str | None, served: str | None, kind: str | None, name: str) -> None:
    """Row 19: the caller's name comes first, its own extension stands; then the server's."""
    disposition = None if served is None else f'inline; filename="{served}"'

    assert chosen(mine, disposition=disposition, content_type=kind, base="orig-1") == name


@pytest.mark.parametrize("name", UNSAFE)
def test_wrong_names_of_the_caller(name: str) -> None:
    """A name that is none is told to its caller, not mended behind their back."""
    with pytest.raises(ValueError, match="no name for a file"):
        chosen(name, disposition=None, content_type="image/jpeg", base="orig-1")


@given(st.text(), st.text())
def test_no_header_leads_out(disposition: str, kind: str) -> None:
    """Row 20: whatever two headers say, the name is one part of a path, here and on Windows."""
    for text in (disposition, f"inline; filename*=UTF-8''{disposition}", f'x; filename="{kind}"'):
        name = chosen(None, disposition=text, content_type=kind, base="orig-1")

        assert Path(os.path.normpath(f"/out/{name}")).parent == Path("/out")
        assert PurePosixPath(name).name == PureWindowsPath(name).name == name or ":" in name
        assert not any(unicodedata.category(char) == "Cc" for char in name)
        assert 0 < len(name.encode()) <= LONGEST


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
    st.integers(2, 9999),
)
def test_names_beside(name: str, number: int) -> None:
    """A second name keeps the extension and fits, like the name of a file on its way."""
    assert len(suffixed(name, ".temp").encode()) <= LONGEST
    assert suffixed(name, ".temp").endswith(".temp")
    if len(extension(name).encode()) < 100:
        assert len(numbered(name, number).encode()) <= LONGEST
        assert numbered(name, number).endswith(f" ({number}){extension(name)}")


LETTERS = st.sampled_from(["a", "b", "~", ".", "0", "é", "ß", "€", "写", "😀"])
LONG = st.builds(
    lambda start, fill, end: (
        (start + fill * LONGEST).encode()[: LONGEST - len(end.encode())].decode("utf-8", "ignore")
        + end
    ),
    st.text(LETTERS, max_size=260),
    LETTERS,
    st.sampled_from(["", ".jpg", ".temp", ".json", ".temp.json", "€.jpg"]),
)
"""Names about as long as a name may be: the last letter that still fits may have up to 4 bytes."""


@given(st.lists(st.one_of(LONG, st.text(LETTERS, min_size=1, max_size=9)), min_size=2, unique=True))
def test_no_two_files_share_what_is_on_its_way(names: list[str]) -> None:
    """However long names are, each has a temporary of its own, which is nobody's target."""
    made = [suffixed(name, suffix) for name in names for suffix in (".temp", ".temp.json")]

    assert len(set(made)) == len(made)
    assert all(len(name.encode()) <= LONGEST for name in made)
    assert all(suffixed(name, ".temp") != name for name in names)


@given(LONG)
def test_a_name_that_looks_shortened(name: str) -> None:
    """A name that is what another one's was shortened to shares nothing with it either."""
    temporary = suffixed(name, ".temp")
    assert suffixed(temporary.removesuffix(".temp"), ".temp") != temporary


@pytest.mark.parametrize("length", range(240, LONGEST + 1))
@pytest.mark.parametrize("letter", ["a", "é", "写", "😀"])
def test_every_length(length: int, letter: str) -> None:
    """At each length in bytes a name and its neighbour that ends otherwise are kept apart."""
    stem = (letter * LONGEST).encode()[: length - 1].decode("utf-8", "ignore")
    one, other = suffixed(stem + "1", ".temp"), suffixed(stem + "2", ".temp")

    assert one != other
    assert max(len(one.encode()), len(other.encode())) <= LONGEST


def test_an_extension_that_is_none() -> None:
    """A dot far from the end makes no extension that keeps a second name from fitting."""
    assert len(numbered("a." + "b" * 250, 2).encode()) <= LONGEST
