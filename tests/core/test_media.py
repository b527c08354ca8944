"""Names: what is a photo, what belongs together, what is passed over and why."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.media import (
    BUILT_IN,
    HIDDEN,
    RULES,
    Kind,
    Rule,
    compile_ignore,
    extension_of,
    ignored_by,
    ignored_name,
    kind_of,
    media_types,
    motion_of,
    sidecar_of,
    still_of,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"IMG_1.JPG", Kind.IMAGE),
        (b"IMG_1.heic", Kind.IMAGE),
        (b"a.b.tiff", Kind.IMAGE),
        (b"DSC_1.NEF", Kind.RAW),
        (b"DSC_1.dng", Kind.RAW),
        (b"MVI_1.MoV", Kind.VIDEO),
        (b"clip.m2ts", Kind.VIDEO),
        (b"IMG_1.jpg.XMP", Kind.SIDECAR),
        (b"caf\xe9.jpg", Kind.IMAGE),
        (b"two\nlines.png", Kind.IMAGE),
        (b"PXL_1.mp", None),
        (b"notes.txt", None),
        (b"jpg", None),
        (b".jpg", None),
        (b"..jpg", None),
        (b"IMG.", None),
        (b"", None),
    ],
)
def test_kind_by_extension(name: bytes, kind: Kind | None) -> None:
    """The extension alone decides, in any case; a hidden file named like one has none."""
    assert kind_of(name) == kind


def test_built_in_types_are_immichs() -> None:
    """There are as many built-in types as Immich 3.1 lists, and `.xmp`."""
    kinds = list(BUILT_IN.values())

    counted = {kind: kinds.count(kind) for kind in Kind}
    assert counted == {Kind.IMAGE: 18, Kind.RAW: 30, Kind.VIDEO: 20, Kind.SIDECAR: 1}


def test_types_of_a_server() -> None:
    """A server's list is taken as it is spelled, and its RAW formats are known as such."""
    types = media_types([b".JPG", b".dng", b".new"], [b".Mp4"])

    assert types == {
        b"jpg": Kind.IMAGE,
        b"dng": Kind.RAW,
        b"new": Kind.IMAGE,
        b"mp4": Kind.VIDEO,
        b"xmp": Kind.SIDECAR,
    }
    assert kind_of(b"a.NEW", types) == Kind.IMAGE
    assert kind_of(b"a.png", types) is None


IGNORED_FILES = [
    (b".trashed-1719662400-IMG_1.jpg", "android-trash"),
    (b".pending-1719662400-IMG_1.jpg", "android-pending"),
    (b".syncthing.IMG_1.jpg.tmp", "syncthing"),
    (b"~syncthing~IMG_1.jpg.tmp", "syncthing"),
    (b".syncthing.0123456789abcdef0123456789abcdef.tmp", "syncthing"),
    (b".syncthing.two\nlines.jpg.tmp", "syncthing"),
    (b".stignore", "syncthing"),
    (b".stfolder", "syncthing"),
    (b".stfolder.removed-20240101-120000", "syncthing"),
    (b"._IMG_1.JPG", "appledouble"),
    (b".IMG_1.jpg.~1a2b3c4d", "nextcloud"),
    (b"._sync_0123456789ab.db", "appledouble"),
    (b".sync_0123456789ab.db-wal", "nextcloud"),
    (b".nextcloudsync.log", "nextcloud"),
    (b".owncloudsync.log.1", "nextcloud"),
    (b".IMG_1.jpg.Xa9Zq0", "rsync"),
    (b"Unconfirmed 123456.crdownload", "partial"),
    (b"IMG_1.jpg.crdownload", "partial"),
    (b"IMG_1.jpg.part", "partial"),
    (b"bDR2s9Kc.jpg.part", "partial"),
    (b"IMG_1.jpg.ocTransferId1234567890.part", "partial"),
    (b"IMG_1.jpg.opdownload", "partial"),
    (b"IMG_1.jpg.1a2b3c4d.partial", "partial"),
    (b"IMG_1.jpg.filepart", "partial"),
    (b"IMG_1.jpg.aria2", "partial"),
    (b"IMG_1.jpg.!sync", "partial"),
    (b"IMG_1.jpg.ffs_tmp", "partial"),
    (b"IMG_20210812_213930.jpg.tacitpart", "foldersync"),
    (b"IMG_1.jpg.tmp", "temporary"),
    (b"IMG_1.jpg.TEMP", "temporary"),
    (b".tmp", "temporary"),
    (b".nfs000000000012d68700000001", "nfs-deleted"),
    (b".smbdeleteAAA1b2c3d.4", "smb-deleted"),
    (b".smb0001a2b3", "smb-deleted"),
    (b".fuse_hidden0000000a00000001", "fuse-deleted"),
    (b"SYNOFILE_THUMB_M_1.jpg", "synology"),
    (b"SYNOPHOTO_THUMB_M.jpg", None),
    (b".DS_Store", "system"),
    (b"Thumbs.db", "system"),
    (b"ehthumbs.db", "system"),
    (b"desktop.ini", "system"),
]
IGNORED_DIRECTORIES = [
    (b".stfolder", "syncthing"),
    (b".stversions", "syncthing-versions"),
    (b".AppleDouble", "appledouble"),
    (b".~tmp~", "rsync-folder"),
    (b".rsync-partial", "rsync-folder"),
    (b"IMG_1.jpg.download", "safari-download"),
    (b"@eaDir", "synology"),
    (b"@tmp", "synology"),
    (b".@__thumb", "qnap"),
    (b"@Recently-Snapshot", "qnap"),
    (b"#recycle", "recycle-bin"),
    (b"@Recycle", "recycle-bin"),
    (b"$RECYCLE.BIN", "recycle-bin"),
    (b".dtrash", "recycle-bin"),
    (b".Trash", "recycle-bin"),
    (b".Trash-1000", "recycle-bin"),
    (b"#snapshot", "snapshot"),
    (b".zfs", "snapshot"),
    (b"System Volume Information", "system-folder"),
    (b"lost+found", "system-folder"),
    (b".thumbnails", "thumbnails"),
    (b"Catalog Previews.lrdata", "thumbnails"),
    (b"Family.photoslibrary", "photo-library"),
]
MEDIA = [
    b"IMG_20240101_120000.jpg",
    b"IMG_1.sync-conflict-20240101-120000-ABCDEFG.jpg",
    b"IMG_1 (conflicted copy 2024-01-01 120000).jpg",
    b"sunset.jpg",
    b"Thumbs.jpg",
    b"~temp.jpg",
    b"@home.jpg",
    b"#1.jpg",
    b"part.jpg",
    b"tmp",
    b"a.jpg\n",
]


@pytest.mark.parametrize(("name", "rule"), IGNORED_FILES)
@pytest.mark.parametrize("include_hidden", [True, False])
def test_files_passed_over(name: bytes, rule: str | None, *, include_hidden: bool) -> None:
    """Each temporary and each thumbnail has its rule, whether or not hidden files are wanted."""
    found = ignored_name(name, directory=False, include_hidden=include_hidden)

    assert (found.name if found else None) == rule


@pytest.mark.parametrize(("name", "rule"), IGNORED_DIRECTORIES)
@pytest.mark.parametrize("include_hidden", [True, False])
def test_directories_passed_over(name: bytes, rule: str, *, include_hidden: bool) -> None:
    """Each directory that holds no photos of its own has its rule."""
    found = ignored_name(name, directory=True, include_hidden=include_hidden)

    assert (found.name if found else None) == rule


def test_every_rule_is_tested() -> None:
    """No row of the table is without an example above, and no two rows share a name."""
    tested = {rule for _, rule in IGNORED_FILES + IGNORED_DIRECTORIES} - {None}

    assert tested == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", [*RULES, HIDDEN], ids=lambda rule: rule.name)
def test_rules_explain_themselves(rule: Rule) -> None:
    """A rule has a reason of one line, and its names and extensions are folded and bare."""
    assert rule.reason
    assert "\n" not in rule.reason
    assert all(name == name.lower() for name in rule.names + rule.extensions)
    assert not any(extension.startswith(b".") for extension in rule.extensions)
    assert rule.files or rule.directories


@pytest.mark.parametrize("name", MEDIA)
def test_photos_are_kept(name: bytes) -> None:
    """Conflict copies, and photos that are merely named oddly, are no rule's."""
    assert ignored_name(name, directory=False, include_hidden=False) is None


@pytest.mark.parametrize("name", [b"DCIM", b"Camera.tmp", b"part.part", b"2024.temp", b"Trash"])
def test_directories_are_kept(name: bytes) -> None:
    """A directory is not passed over for being named like a temporary file."""
    assert ignored_name(name, directory=True, include_hidden=False) is None


@pytest.mark.parametrize("directory", [True, False])
def test_hidden(*, directory: bool) -> None:
    """What begins with a dot is passed over unless hidden files are wanted."""
    assert ignored_name(b".a.jpg", directory=directory, include_hidden=False) == HIDDEN
    assert ignored_name(b".a.jpg", directory=directory, include_hidden=True) is None


def test_a_path_is_passed_over_with_its_directory() -> None:
    """The topmost rule on the way to a file is the one that is named."""
    inside = (b"a", b"@eaDir", b"x.jpg", b".tmp")

    found = ignored_by(inside, directory=False)
    assert found is not None
    assert found.name == "synology"
    assert ignored_by((b"a.tmp", b"b.jpg"), directory=False) is None
    assert ignored_by((b".a", b"b.jpg"), directory=False, include_hidden=True) is None
    assert ignored_by((b".a", b"b.jpg"), directory=False) == HIDDEN
    assert ignored_by((b"a.tmp",), directory=True) is None


@given(st.binary(max_size=40), st.booleans(), st.booleans())
def test_any_name_gets_an_answer(
    name: bytes,
    directory: bool,  # noqa: FBT001 - given by Hypothesis, in order
    include_hidden: bool,  # noqa: FBT001 - likewise
) -> None:
    """Any bytes are passed over by one rule for that sort of thing, or by none."""
    rule = ignored_name(name, directory=directory, include_hidden=include_hidden)

    assert rule in (None, HIDDEN, *RULES)
    assert rule is None or (rule.directories if directory else rule.files)
    assert kind_of(name) is None or extension_of(name) in BUILT_IN


@pytest.mark.parametrize(
    ("path", "directory", "pattern"),
    [
        (b"Screenshots", True, "Screenshots/"),
        (b"Screenshots", False, None),
        (b"Screenshots/a.jpg", False, "Screenshots/"),
        (b"deep/Screenshots/a.jpg", False, "Screenshots/"),
        (b"a.ts", False, "*.ts"),
        (b"two\nlines/a.ts", False, "*.ts"),
        (b"a.ts\n", False, None),
        (b"caf\xe9.ts", False, "*.ts"),
        (b"keep.ts", False, None),
        (b"#tag", False, "\\#tag"),
        (b"2023/x/raw/a.dng", False, "2023/**/raw"),
        (b"a.jpg", False, None),
    ],
)
def test_patterns(path: bytes, pattern: str | None, *, directory: bool) -> None:
    """A user's patterns are read as git reads them, over names of any bytes."""
    patterns = compile_ignore(["Screenshots/", "*.ts", "!keep.ts", "\\#tag", "2023/**/raw"])

    assert patterns.matches(path, directory=directory) == pattern


def test_no_patterns() -> None:
    """Without patterns nothing is passed over, and two such are equal."""
    assert compile_ignore(()).matches(b"a.jpg", directory=False) is None
    assert compile_ignore(["a"]) == compile_ignore(["a"]) != compile_ignore(["b"])
    assert repr(compile_ignore(["a"])) == "IgnorePatterns(patterns=('a',))"


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("", "remove it"),
        ("  ", "remove it"),
        ("#recycle", r"write '\\#recycle'"),
        ("a\nb", "one pattern per entry"),
        ("!", "not a gitignore pattern"),
        ("[z-a]", "not a gitignore pattern"),
        ("foo[", "can never match"),
    ],
)
def test_bad_patterns(pattern: str, sentence: str) -> None:
    """What could never match is refused, with what to write instead."""
    with pytest.raises(ValueError, match=sentence):
        compile_ignore(["*.ok", pattern])


@pytest.mark.parametrize(
    ("name", "beside", "sidecar"),
    [
        (b"IMG.jpg", [b"IMG.jpg.xmp"], b"IMG.jpg.xmp"),
        (b"IMG.jpg", [b"IMG.xmp"], b"IMG.xmp"),
        (b"IMG.jpg", [b"IMG.xmp", b"IMG.jpg.xmp"], b"IMG.jpg.xmp"),
        (b"IMG.jpg", [b"IMG.jpg.XMP"], b"IMG.jpg.XMP"),
        (b"IMG.JPG", [b"IMG.jpg.Xmp"], b"IMG.jpg.Xmp"),
        (b"IMG.jpg", [b"IMG.jpg.XMP", b"IMG.jpg.xmp"], b"IMG.jpg.xmp"),
        # Another photo's.
        (b"a.b.jpg", [b"a.xmp"], None),
        (b"a.b.jpg", [b"a.b.xmp"], b"a.b.xmp"),
        (b"IMG.jpg", [b"img.xmp"], None),
        (b"IMG.jpg", [b"IMG.png.xmp", b"IMG.png"], None),
        (b"IMG.jpg.png", [b"IMG.jpg.xmp"], None),
        (b"IMG.jpg.png", [b"IMG.jpg.xmp", b"IMG.jpg"], None),
        # Twins on a file system that tells case apart.
        (b"IMG.jpg", [b"IMG.JPG", b"IMG.jpg.xmp"], b"IMG.jpg.xmp"),
        (b"IMG.JPG", [b"IMG.jpg", b"IMG.jpg.xmp"], None),
        (b"IMG.JPG", [b"IMG.Jpg", b"IMG.jpg.xmp"], None),
        (b"IMG.JPG", [b"IMG.jpg", b"IMG.xmp"], None),
        # One sidecar, several files with its stem.
        (b"IMG.dng", [b"IMG.jpg", b"IMG.xmp"], b"IMG.xmp"),
        (b"IMG.jpg", [b"IMG.dng", b"IMG.xmp"], None),
        (b"IMG.jpg", [b"IMG.dng", b"IMG.xmp", b"IMG.jpg.xmp"], b"IMG.jpg.xmp"),
        (b"IMG.jpg", [b"IMG.heic", b"IMG.xmp"], None),
        (b"IMG.heic", [b"IMG.jpg", b"IMG.xmp"], None),
        (b"IMG.dng", [b"IMG.nef", b"IMG.xmp"], None),
        (b"IMG.HEIC", [b"IMG.MOV", b"IMG.xmp"], b"IMG.xmp"),
        (b"IMG.MOV", [b"IMG.HEIC", b"IMG.xmp"], None),
        (b"IMG.MOV", [b"IMG.xmp"], b"IMG.xmp"),
        (b"IMG.jpg", [b"IMG.txt", b"IMG.xmp"], b"IMG.xmp"),
        # Types that only the server knows.
        (b"IMG.newtype", [b"IMG.newtype.xmp"], b"IMG.newtype.xmp"),
        (b"IMG.newtype", [b"IMG.xmp"], b"IMG.xmp"),
        (b"IMG.newtype", [b"IMG.jpg", b"IMG.xmp"], None),
        (b"IMG.jPg", [b"IMG.xMp"], b"IMG.xMp"),
        (b"IMG.jpg", [], None),
    ],
)
def test_sidecar(name: bytes, beside: list[bytes], sidecar: bytes | None) -> None:
    """A sidecar is the file's own, or it is nobody's."""
    assert sidecar_of(name, {name, *beside}) == sidecar


NAMES = st.frozensets(
    st.tuples(
        st.sampled_from([b"A", b"a", b"A.b", b"A.jpg"]),
        st.sampled_from([b"", b".jpg", b".JPG", b".dng", b".HEIC", b".mov", b".jpg.xmp"]),
        st.sampled_from([b"", b".xmp", b".XMP", b".mp4"]),
    ).map(b"".join),
    max_size=12,
)


@given(NAMES)
def test_a_sidecar_has_one_owner(names: frozenset[bytes]) -> None:
    """No two files of a directory are given the same sidecar."""
    media = [name for name in sorted(names) if kind_of(name) not in (None, Kind.SIDECAR)]
    given = [found for name in media if (found := sidecar_of(name, names)) is not None]

    assert len(given) == len(set(given))
    assert all(sidecar in names for sidecar in given)


class Counting:
    """Names of a directory that count how often they are asked for one."""

    def __init__(self, *names: bytes) -> None:
        self.names = names
        self.asked = 0

    def __contains__(self, name: object) -> bool:
        self.asked += 1
        return name in self.names


def test_looking_for_a_sidecar_is_cheap() -> None:
    """A photo without a sidecar costs few questions, since each may go to the disk."""
    for name in (b"IMG.jpg", b"IMG.HEIC", b"IMG.jpeg"):
        names = Counting(name)

        assert sidecar_of(name, names) is None
        assert still_of(name, names) is None
        assert names.asked <= 25


@pytest.mark.parametrize(
    ("motion", "beside", "still"),
    [
        (b"IMG.MOV", [b"IMG.HEIC"], b"IMG.HEIC"),
        (b"IMG.mov", [b"IMG.JPG"], b"IMG.JPG"),
        (b"IMG.mp4", [b"IMG.jpeg"], b"IMG.jpeg"),
        (b"IMG.MOV", [b"IMG.JPG", b"IMG.HEIC"], b"IMG.HEIC"),
        (b"IMG.MOV", [b"IMG.png"], None),
        (b"IMG.MOV", [b"img.HEIC"], None),
        (b"IMG.mp4", [b"IMG.MOV", b"IMG.HEIC"], None),
        (b"IMG.avi", [b"IMG.HEIC"], None),
        (b"IMG.HEIC", [b"IMG.MOV"], None),
        (b"IMG.MOV", [], None),
    ],
)
def test_still_of_a_live_photo(motion: bytes, beside: list[bytes], still: bytes | None) -> None:
    """A MOV or MP4 goes with the still of the same stem, HEIC before JPEG, one film a still."""
    assert still_of(motion, {motion, *beside}) == still


@given(NAMES)
def test_live_photos_are_pairs(names: frozenset[bytes]) -> None:
    """Asked from either side, the answer is the same pair."""
    for name in sorted(names):
        still, motion = still_of(name, names), motion_of(name, names)

        assert still is None or motion_of(still, names) == name
        assert motion is None or still_of(motion, names) == name


@given(st.text(string.ascii_letters, min_size=1, max_size=9))
def test_any_case_of_extension(spelled: str) -> None:
    """`.xmp` is found however it is spelled; an extension of any length costs little."""
    name = b"IMG." + spelled.encode()

    assert sidecar_of(name, {name, name + b".xMp"}) == (
        None if kind_of(name) is Kind.SIDECAR else name + b".xMp"
    )
