"""Whole, cut off, or it cannot be told: on the samples, on what phones append, on anything."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import immich_sync.sandbox
from immich_sync.core.complete import BYTES, READS, Completeness, content_identifier, judge
from immich_sync.core.window import TAIL

WHOLE, CUT, UNKNOWN = Completeness.WHOLE, Completeness.CUT, Completeness.UNKNOWN
IDENTIFIER = "7E1F4C52-0B6A-4D0E-9A53-5D1C8E2B9F04"
SAMPLES = {
    path.name: path.read_bytes()
    for path in sorted((Path(immich_sync.sandbox.__path__[0]) / "samples").rglob("*"))
    if path.is_file()
}
JUDGED = sorted(name for name in SAMPLES if not name.endswith((".dng", ".xmp")))
JPEG = SAMPLES["Old slide.jpg"]
MP4 = SAMPLES["VID_20240818_203512.mp4"]
MOV = SAMPLES["IMG_0042.MOV"]
PNG = SAMPLES["Screenshot_20240820-221530.png"]
HEIC = SAMPLES["IMG_0042.HEIC"]
NOISE = random.Random(1).randbytes(3 * TAIL)  # noqa: S311 - bytes like a film's, no secret


class Reading:
    """A file in memory that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0
        self.bytes = 0

    def __call__(self, offset: int, length: int) -> bytes:
        """The bytes asked for, or fewer at the end."""
        self.reads += 1
        self.bytes += length
        return self.data[offset : offset + length]


def judged(data: bytes, name: bytes = b"a") -> Completeness:
    """The judgement, having checked what it cost."""
    reading = Reading(data)
    found = judge(reading, len(data), name)
    assert reading.reads <= READS
    assert reading.bytes <= BYTES
    return found


def identified(data: bytes, name: bytes = b"a.MOV") -> str | None:
    """The content identifier, having checked what it cost."""
    reading = Reading(data)
    found = content_identifier(reading, len(data), name)
    assert reading.reads <= READS
    assert reading.bytes <= BYTES
    return found


def segment(marker: int, content: bytes) -> bytes:
    """A JPEG's segment."""
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def box(kind: bytes, *content: bytes, wide: bool = False) -> bytes:
    """A box with its size, in 64 bits if wide."""
    inside = b"".join(content)
    if wide:
        return b"\0\0\0\1" + kind + (len(inside) + 16).to_bytes(8, "big") + inside
    return (len(inside) + 8).to_bytes(4, "big") + kind + inside


FTYP = box(b"ftyp", b"isom\0\0\0\0isommp42")
MOOV = box(b"moov", b"index")
MDAT = box(b"mdat", NOISE[:500])
SCAN = segment(0xDA, bytes(10))


def jpeg(*segments: bytes, picture: bytes = b"\x12\xff\x00\x34" * 20, end: bytes = b"") -> bytes:
    """A JPEG of given segments, with something behind its end."""
    return b"\xff\xd8" + b"".join(segments) + SCAN + picture + b"\xff\xd9" + end


@pytest.mark.parametrize("name", JUDGED)
def test_samples_are_whole(name: str) -> None:
    """Every sample in a format that can be judged is whole, whatever it is called."""
    assert judged(SAMPLES[name], name.encode()) == WHOLE
    assert judged(SAMPLES[name], b"x.bin") == WHOLE


def test_raw_cannot_be_told() -> None:
    """A RAW made of TIFF is neither called whole nor cut."""
    assert judged(SAMPLES["DSC_0815.dng"], b"DSC_0815.dng") == UNKNOWN


@pytest.mark.parametrize("name", JUDGED)
def test_no_prefix_is_whole(name: str) -> None:
    """A sample that ends early is never whole, and nearly always seen to be cut."""
    data = SAMPLES[name]
    ends = {*range(200), *range(0, len(data), 61), *range(len(data) - 200, len(data))}
    found = [judged(data[:end], name.encode()) for end in sorted(ends)]

    assert WHOLE not in found
    assert found.count(CUT) > 0.97 * len(found)


@pytest.mark.parametrize("name", JUDGED)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99])
def test_space_set_aside_is_not_whole(name: str, share: float) -> None:
    """A file at its full length of which only a part has been written is never whole."""
    data = SAMPLES[name]
    written = int(len(data) * share)

    assert judged(data[:written] + bytes(len(data) - written), name.encode()) != WHOLE


@pytest.mark.parametrize("name", [b"a.jpg", b"a.HEIC", b"a.mp4", b"a.png", b"a.webp", b"a.cr3"])
def test_nothing_written_yet(name: bytes) -> None:
    """An empty file, a few bytes, or nothing but zeros is no photo that anyone took."""
    assert judged(b"", name) == CUT
    assert judged(b"\0", name) == CUT
    assert judged(b"\xff", name) == CUT
    assert judged(bytes(100_000), name) == CUT


def test_other_formats_cannot_be_told() -> None:
    """What has no signature that we know is left to time, unless it is empty."""
    assert judged(b"", b"a.ts") == CUT
    assert judged(bytes(100_000), b"a.raw") == UNKNOWN
    assert judged(b"GIF89a" + NOISE[:500] + b"\0;", b"a.gif") == UNKNOWN
    assert judged(b"hello, this is no picture", b"a.jpg") == UNKNOWN


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (jpeg(), WHOLE),
        (jpeg(segment(0xE0, b"JFIF\0"), b"\xff\xff\xff" + segment(0xFE, b"fill bytes")), WHOLE),
        (jpeg(b"\xff\x01"), WHOLE),
        # Behind the end: zeros, text, another maker's data.
        (jpeg(end=bytes(512)), UNKNOWN),
        (jpeg(end=b"\n"), UNKNOWN),
        (jpeg(end=b"text" * 50_000), UNKNOWN),
        (jpeg(end=NOISE), UNKNOWN),
        (jpeg(end=bytes(TAIL)), CUT),
        # Cut: in a header, in the scan's header, in small and large pictures.
        (b"\xff\xd8", CUT),
        (b"\xff\xd8\xff\xe0\x00", CUT),
        (b"\xff\xd8" + segment(0xE0, bytes(100))[:50], CUT),
        (b"\xff\xd8" + segment(0xE0, bytes(100)) + bytes(500), CUT),
        (jpeg()[:-1], CUT),
        (jpeg(picture=b"\x12\xff\x00\x34" * TAIL)[:-2], CUT),
        (jpeg(picture=b"\x12\xff\xd0\x34" * TAIL)[:-1], CUT),
        (jpeg(picture=b"\x12\xff\x00\x34" * TAIL)[:-2] + bytes(TAIL), CUT),
        # No JPEG that we understand.
        (b"\xff\xd8\xff\xd9" + NOISE, UNKNOWN),
        (b"\xff\xd8\xff\xe0\x00\x01" + NOISE, UNKNOWN),
        (b"\xff\xd8" + b"no marker here", UNKNOWN),
    ],
)
def test_jpeg(data: bytes, answer: Completeness) -> None:
    """A JPEG is whole at its own end, cut inside what it announces, and open behind its end."""
    assert judged(data, b"a.jpg") == answer


def mpf(order: str, pictures: list[tuple[int, int]]) -> bytes:
    """A multi-picture index: length and offset of each picture."""
    little = order == "II"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little" if little else "big")

    def entry(tag: int, length: int, value: int) -> bytes:
        return number(tag, 2) + number(7, 2) + number(length, 4) + number(value, 4)

    items = b"".join(number(0, 4) + number(s, 4) + number(o, 4) + bytes(4) for s, o in pictures)
    table = 8 + 2 + 2 * 12 + 4
    head = order.encode() + number(42, 2) + number(8, 4) + number(2, 2)
    entries = entry(0xB001, 4, 2) + entry(0xB002, len(items), table)
    return segment(0xE2, b"MPF\0" + head + entries + bytes(4) + items)


@pytest.mark.parametrize("order", ["II", "MM"])
def test_second_picture(order: str) -> None:
    """A JPEG that ends with its own end, but without the pictures its index lists, is open."""
    second = jpeg()
    blank = jpeg(mpf(order, [(0, 0), (0, 0)]))
    start = blank.index(b"MPF\0") + 4
    both = jpeg(mpf(order, [(len(blank), 0), (len(second), len(blank) - start)]), end=second)

    assert judged(both) == WHOLE
    assert judged(both[: len(blank)]) == UNKNOWN
    assert judged(both[:-1]) == UNKNOWN
    assert judged(jpeg(segment(0xE2, b"ICC_PROFILE\0"), mpf(order, []))) == WHOLE


def motion_photo(film: bytes, xmp: str) -> bytes:
    """A JPEG with a film behind it, announced in XMP."""
    announced = b"http://ns.adobe.com/xap/1.0/\0" + xmp.replace("LENGTH", str(len(film))).encode()
    return jpeg(segment(0xE1, b"Exif\0\0"), segment(0xE1, announced), end=film)


@pytest.mark.parametrize(
    "xmp",
    [
        '<rdf:Description GCamera:MicroVideo="1" GCamera:MicroVideoOffset="LENGTH"/>',
        '<Container:Item Item:Semantic="MotionPhoto" Item:Length="LENGTH" Item:Padding="0"/>',
    ],
)
def test_motion_photo(xmp: str) -> None:
    """A motion photo is whole with its film, and open while any of it is missing."""
    film = FTYP + MOOV + MDAT
    whole = motion_photo(film, xmp)

    assert judged(whole) == WHOLE
    assert judged(whole[:-1]) == UNKNOWN
    assert judged(whole[: -len(film)]) == UNKNOWN
    assert judged(whole[:-100] + bytes(100)) == UNKNOWN
    assert judged(motion_photo(b"", xmp)) == WHOLE


def test_samsung_trailer() -> None:
    """Samsung's list of appended data is written last: with it the file is whole."""
    listed = b"SEFH" + bytes(20)
    trailer = NOISE[:300] + listed + len(listed).to_bytes(4, "little") + b"SEFT"

    assert judged(jpeg(end=trailer)) == WHOLE
    assert judged(jpeg(end=trailer[:-1])) == UNKNOWN
    assert judged(jpeg(end=NOISE[:300] + b"\xff\xff\0\0SEFT")) == UNKNOWN
    assert judged(jpeg(end=NOISE[:300] + b"\x08\0\0\0SEFT")) == UNKNOWN


IEND = PNG[-12:]


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (PNG + b"x", UNKNOWN),
        (PNG + bytes(2 * TAIL), UNKNOWN),
        (PNG[:-12] + bytes(12), CUT),
        (PNG[:8] + b"\0\0\0\4\1\2\3\4" + bytes(8), UNKNOWN),
        (PNG[:8], CUT),
    ],
)
def test_png(data: bytes, answer: Completeness) -> None:
    """A PNG is whole with its last chunk, and cut if its chunks lead beyond its end."""
    assert judged(data) == answer


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"RIFF" + (504).to_bytes(4, "little") + b"WEBP" + NOISE[:500], WHOLE),
        (b"RIFF" + (503).to_bytes(4, "little") + b"WEBP" + NOISE[:500], WHOLE),
        (b"RIFF" + (502).to_bytes(4, "little") + b"WEBP" + NOISE[:500], UNKNOWN),
        (b"RIFF" + (505).to_bytes(4, "little") + b"WEBP" + NOISE[:500], CUT),
        (b"RIFF" + (504).to_bytes(4, "little") + b"WEBP" + NOISE[:400] + bytes(100), UNKNOWN),
        (b"RIFF" + (TAIL * 2 + 4).to_bytes(4, "little") + b"WEBP" + bytes(TAIL * 2), CUT),
        (b"RIFF" + (504).to_bytes(4, "little") + b"AVI " + NOISE[:500], UNKNOWN),
    ],
)
def test_webp(data: bytes, answer: Completeness) -> None:
    """A WebP is as long as its header says; another RIFF is not judged."""
    assert judged(data) == answer


HEIF = box(b"ftyp", b"heic\0\0\0\0mif1heic")


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (FTYP + MOOV + MDAT, WHOLE),
        (FTYP + MDAT + MOOV, WHOLE),
        (MOOV + MDAT, WHOLE),
        (FTYP + MOOV + box(b"mdat", NOISE[:500], wide=True), WHOLE),
        (FTYP + MOOV + MDAT + box(b"free", bytes(500)), WHOLE),
        (HEIF + box(b"meta", b"items") + MDAT, WHOLE),
        (box(b"ftyp", b"avis\0\0\0\0") + MOOV + MDAT, WHOLE),
        # Something that means something is missing.
        (FTYP + MDAT, CUT),
        (FTYP + MDAT + bytes(3), CUT),
        (FTYP + MDAT + bytes(1000), CUT),
        (FTYP, CUT),
        (HEIF + MDAT, CUT),
        (FTYP + MOOV + MDAT[:-1], CUT),
        (FTYP + MOOV + box(b"mdat", NOISE[:500], wide=True)[:-1], CUT),
        (FTYP + MDAT + MOOV[:-1], CUT),
        (FTYP + b"\xff\xff\xff\xffmdat", CUT),
        (FTYP + b"\0\0\0\1mdat" + b"?" * 8 + NOISE, CUT),
        (FTYP + b"\0\0\0\0mdat" + NOISE, CUT),
        # It cannot be told.
        (FTYP + MOOV, UNKNOWN),
        (FTYP + MOOV + b"\0\0\0\0mdat" + NOISE, UNKNOWN),
        (FTYP + MDAT + b"\0\0\0\0moov" + NOISE, UNKNOWN),
        (FTYP + b"\0\0\0\0note" + NOISE, UNKNOWN),
        (FTYP + MOOV + MDAT + bytes(3), UNKNOWN),
        (FTYP + MOOV + MDAT + bytes(1000), UNKNOWN),
        (FTYP + MOOV + MDAT + b"\0\0\0\5junk" + NOISE[:100], UNKNOWN),
        (FTYP + MDAT + b"\0\0\0\5junk" + NOISE[:100], UNKNOWN),
        (FTYP + b"\0\0\0\1mdat" + bytes(8) + NOISE, UNKNOWN),
        (FTYP + MOOV + MDAT + b"\xff\xff\xff\xffjunk" + NOISE[:100], UNKNOWN),
        (FTYP + MOOV + box(b"mdat", NOISE[:500], bytes(64)), UNKNOWN),
        (FTYP + MOOV + box(b"mdat"), UNKNOWN),
        (FTYP + MDAT + box(b"moov", bytes(64)), UNKNOWN),
        (FTYP + MOOV + box(b"moof", b"part") + MDAT, UNKNOWN),
        (FTYP + MOOV + box(b"moof", b"part") + MDAT + box(b"mfra", b"index"), WHOLE),
        (FTYP + MOOV + box(b"free") * 100_000, UNKNOWN),
        (b"\0\0\0\3ftyp" + NOISE[:100], UNKNOWN),
    ],
)
def test_boxes(data: bytes, answer: Completeness) -> None:
    """A film or HEIC has its index and its pictures, each box to its end."""
    assert judged(data) == answer


def test_a_file_that_shrinks_meanwhile() -> None:
    """A read that gives less than the size promised is no error."""
    for data in (JPEG, PNG, MP4, HEIC):
        assert judge(Reading(data[:40]), len(data), b"a") != WHOLE
        assert judge(Reading(b""), len(data), b"a.jpg") in (CUT, UNKNOWN)


def test_an_unreadable_file() -> None:
    """An error of the disk is the caller's to see."""

    def broken(offset: int, length: int) -> bytes:
        raise OSError(5, f"cannot read {length} bytes at {offset}")

    with pytest.raises(OSError, match="cannot read"):
        judge(broken, 1000, b"a.jpg")


def test_content_identifier_of_the_sample() -> None:
    """The sample's motion part carries the identifier of its still."""
    assert identified(MOV, b"IMG_0042.MOV") == IDENTIFIER
    assert IDENTIFIER.encode() in HEIC
    assert identified(MOV, b"IMG_0042.HEIC") is None
    assert identified(MP4, b"a.mp4") is None
    assert identified(b"", b"a.mov") is None


def keys(*names: bytes) -> bytes:
    """A table of metadata keys."""
    listed = (box(b"mdta", name) for name in names)
    return box(b"keys", bytes(4), len(names).to_bytes(4, "big"), *listed)


def items(*values: bytes) -> bytes:
    """A list of metadata values, numbered from 1."""
    data = (box(b"data", b"\0\0\0\1", bytes(4), value) for value in values)
    return box(b"ilst", *(box(n.to_bytes(4, "big"), d) for n, d in enumerate(data, 1)))


HANDLER = box(b"hdlr", bytes(4))
KEYS = keys(b"com.apple.quicktime.make", b"com.apple.quicktime.content.identifier")
VALUES = items(b"Apple", b"ID-1")


@pytest.mark.parametrize(
    ("meta", "identifier"),
    [
        (HANDLER + KEYS + VALUES, "ID-1"),
        (bytes(4) + HANDLER + KEYS + VALUES, "ID-1"),
        (HANDLER + KEYS + items(b"Apple"), None),
        (HANDLER + KEYS, None),
        (HANDLER + VALUES, None),
        (HANDLER + keys(b"com.apple.quicktime.make") + VALUES, None),
        (HANDLER + box(b"keys", bytes(8), bytes(8)) + VALUES, None),
        (HANDLER + KEYS + items(b"Apple", b""), None),
        (HANDLER + KEYS + items(b"Apple", b"x" * 129), None),
        (HANDLER + KEYS + items(b"Apple", b"two\nlines"), None),
        (HANDLER + KEYS + items(b"Apple", b"\xe9"), None),
        (HANDLER + KEYS + box(b"ilst", box(b"\0\0\0\2", box(b"name", b"x"))), None),
    ],
)
def test_content_identifier(meta: bytes, identifier: str | None) -> None:
    """The identifier is the value whose key is Apple's, if it is a short line of ASCII."""
    assert identified(FTYP + MDAT + box(b"moov", box(b"meta", meta))) == identifier


@pytest.mark.parametrize(
    "data",
    [
        FTYP + MDAT + MOOV,
        FTYP + box(b"free") * 100_000,
        FTYP + b"\0\0\0\3moov",
        FTYP + b"\0\0\0\0mdat" + NOISE,
        box(b"moov", b"\0\0\0\3meta"),
    ],
)
def test_no_content_identifier(data: bytes) -> None:
    """A film without metadata, or of any bytes, has none."""
    assert identified(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 1_000_000,
        b"\xff\xd8" + b"\xff\x01" * 500_000,
        b"\xff\xd8" + segment(0xFE, b"") * 250_000,
        PNG[:8] + (b"\0\0\x07\xd0tEXt" + bytes(2004)) * 2100,
        FTYP + box(b"\0\0\0\0") * 100_000,
        box(b"moov", box(b"meta", HANDLER + box(b"none") * 100_000)),
    ],
    ids=["fill bytes", "markers", "segments", "chunks", "boxes", "inner boxes"],
)
def test_files_made_to_cost(data: bytes) -> None:
    """A file of a million tiny parts is given up on, not walked to its end."""
    before = time.process_time()

    assert judged(data) in (UNKNOWN, CUT)
    assert identified(data) is None
    assert time.process_time() - before < 2


STARTS = (
    b"",
    b"\xff\xd8",
    b"\xff\xd8\xff",
    b"\xff\xd8" + SCAN,
    PNG[:8],
    b"RIFF\xf0\0\0\0WEBP",
    FTYP,
    HEIF,
    FTYP + b"\0\0\0\1",
    FTYP + MOOV[:4],
    jpeg(mpf("II", [(0, 0), (9, 9)]))[:60],
)
NAMES = st.sampled_from([b"a.jpg", b"a.png", b"a.heic", b"a.mov", b"a.mp4", b"a.webp", b"a", b""])


@given(st.sampled_from(STARTS), st.binary(max_size=400), NAMES)
def test_any_bytes(start: bytes, rest: bytes, name: bytes) -> None:
    """Any bytes are judged and searched, at a bounded cost."""
    assert judged(start + rest, name) in Completeness
    assert identified(start + rest, b"a.mov") is None


EDITS = st.lists(
    st.tuples(st.integers(min_value=0, max_value=60_000), st.binary(min_size=1, max_size=12)),
    min_size=1,
    max_size=8,
)


@given(st.sampled_from(JUDGED), EDITS, st.one_of(st.none(), st.integers(0, 60_000)))
def test_damaged_samples(name: str, edits: list[tuple[int, bytes]], end: int | None) -> None:
    """A sample with any bytes written over, and cut anywhere, is judged at a bounded cost."""
    data = bytearray(SAMPLES[name])
    for offset, new in edits:
        # Headers are where a walk can be led astray: half of the edits go there.
        place = offset % (len(data) if offset % 2 else 256)
        data[place : place + len(new)] = new
    damaged = bytes(data[:end])

    assert judged(damaged, name.encode()) in Completeness
    assert len(identified(damaged) or "") <= 128


@given(st.integers(min_value=1, max_value=40), st.sampled_from([JPEG, PNG, MP4, MOV, HEIC]))
def test_short_reads(most: int, data: bytes) -> None:
    """A disk that gives few bytes at a time costs an answer, never an error or a false WHOLE."""

    def read(offset: int, length: int) -> bytes:
        return data[offset : offset + min(length, most)]

    assert judge(read, len(data), b"a") in Completeness
