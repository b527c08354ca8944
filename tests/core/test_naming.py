"""What things are called: on the server, on a terminal, and albums."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.naming import album_name, check_template, shown, upload_name

WHEN = datetime(2024, 8, 17, 23, 59)  # noqa: DTZ001 - a file's local time carries no zone
PATHS = st.binary(min_size=1, max_size=240).filter(lambda name: b"\0" not in name)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        (b"IMG 1.jpg", "IMG 1.jpg"),
        (b'it\'s "quoted" 100%.jpg', 'it\'s "quoted" 100%.jpg'),
        (b"two\nlines.jpg", "two\nlines.jpg"),
        ("👨‍👩‍👧.jpg".encode(), "👨‍👩‍👧.jpg"),
        (b"caf\xe9.jpg", "café.jpg"),
        (b"Gr\xfc\xdfe \x80.JPG", "Grüße €.JPG"),
        ("é".encode() + b"\xe9.jpg", "éé.jpg"),
        (b"\x81.jpg", "\N{REPLACEMENT CHARACTER}.jpg"),
        (b"\xed\xa0\x80.jpg", "í\xa0€.jpg"),
        (b"", "unnamed"),
    ],
)
def test_upload_name(name: bytes, sent: str) -> None:
    """UTF-8 is sent as it is; other bytes are read as Windows-1252."""
    assert upload_name(name) == sent


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_utf8_names_are_unchanged(name: str) -> None:
    """A name in UTF-8 goes through and back."""
    assert upload_name(name.encode()) == name


@given(PATHS)
def test_any_name_can_be_sent(name: bytes) -> None:
    """Any bytes become a name that is not empty, is UTF-8 and keeps its extension."""
    sent = upload_name(name + b".JPG")

    assert sent.encode().decode() == sent
    assert sent.endswith(".JPG")
    assert len(sent) > len(".JPG")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (b"a/b c.jpg", "a/b c.jpg"),
        ("Ä/👨‍👩‍👧.jpg".encode(), "Ä/👨‍👩‍👧.jpg"),
        (b"caf\xe9.jpg", r"caf\xe9.jpg"),
        (b"a\nb\tc\r.jpg", r"a\nb\tc\r.jpg"),
        (b"\x1b[31mred.jpg", r"\u001b[31mred.jpg"),
        (b"a\\xe9.jpg", r"a\\xe9.jpg"),
        ("a\u202egpj.exe".encode(), r"a\u202egpj.exe"),
        ("3.00\u202fPM.png".encode(), "3.00\u202fPM.png"),
        ("\U000e0001.png".encode(), r"\U000e0001.png"),
    ],
)
def test_shown(path: bytes, line: str) -> None:
    """What would move the cursor, end the line or is no character is written out."""
    assert shown(path) == line


@given(PATHS, PATHS)
def test_shown_is_one_line_and_loses_nothing(one: bytes, other: bytes) -> None:
    """Any path is one line that can be encoded, and no two paths look the same."""
    line = shown(one)

    assert line.encode()
    assert len(line.splitlines()) == 1
    assert not any(char < " " or "\x7f" <= char < "\xa0" for char in line)
    assert (line == shown(other)) == (one == other)


@pytest.mark.parametrize(
    ("template", "directory", "album"),
    [
        ("Phone", b"2024/08", "Phone"),
        ("{parent}", b"2024/Alps", "Alps"),
        ("{parent}", b"", "Photos"),
        ("{folder}", b"2024", "Photos"),
        ("{path}", b"2024/Alps", "2024/Alps"),
        ("{path}", b"", "Photos"),
        ("{folder}/{path}", b"", "Photos"),
        ("{folder}/{path}", b"a", "Photos/a"),
        ("{date:%Y-%m}", b"", "2024-08"),
        ("{date:%Y} {parent}", b"x/Alps", "2024 Alps"),
        ("{date:%Y: %d.%m.}", b"", "2024: 17.08."),
        ("{{{parent}}}", b"Alps", "{Alps}"),
        ("{parent}", "Cafe\u0301".encode(), "Café"),
        ("{parent}", b"Caf\xe9", "Café"),
        ("{parent}", b"two\nlines", "two lines"),
        (" {parent} ", b" Alps ", "Alps"),
        ("{parent}", b"\xa0", "Photos"),
        ("{parent}", "two\u2028lines".encode(), "two lines"),
        ("AC/DC", b"", "AC/DC"),
    ],
)
def test_album_name(template: str, directory: bytes, album: str) -> None:
    """A template is filled with the folder, the directory and the file's own date."""
    check_template(template)

    assert album_name(template, folder="Photos", directory=directory, local_time=WHEN) == album


@given(st.sampled_from(["{parent}", "{path}", "{folder} {path}"]), PATHS)
def test_albums_have_a_name(template: str, directory: bytes) -> None:
    """Whatever a directory is called, its album's name is not empty and is one line."""
    album = album_name(template, folder="Photos", directory=directory, local_time=WHEN)

    assert album.strip()
    assert len(album.encode().decode()) == len(album)
    assert len(album.splitlines()) == 1


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("{", "not closed"),
        ("a}", "not opened"),
        ("{}", "no field {}; there are {parent}"),
        ("{0}", "no field {0}"),
        ("{year}", "no field {year}"),
        ("{parent.x}", "no field {parent.x}"),
        ("{parent!r}", r"no conversion \(!r\)"),
        ("{path:>9}", r"takes no format \(:>9\)"),
        ("{date}", "write for example {date:%Y-%m}"),
        ("{date:long}", "{date:long} is no date format"),
        ("{date:%Q}", "{date:%Q} is no date format"),
        ("{date:%Y-%}", "is no date format"),
        ("{date:%Y{folder}}", "is no date format"),
    ],
)
def test_bad_templates(template: str, sentence: str) -> None:
    """A template that cannot be filled in is refused, with what to write instead."""
    with pytest.raises(ValueError, match=sentence):
        check_template(template)
