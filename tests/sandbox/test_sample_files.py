"""The samples that `demo` shows: all kinds of files, small, and copied whole."""

from pathlib import Path

from immich_sync.core.complete import Completeness, ReadAt, content_identifier, judge
from immich_sync.core.media import Kind, extension_of, kind_of, sidecar_of, still_of
from immich_sync.sandbox.sample_files import copy_samples


def reading(path: Path) -> ReadAt:
    """A file, to be read from any offset."""
    data = path.read_bytes()
    return lambda offset, length: data[offset : offset + length]


def names_in(directory: Path) -> set[bytes]:
    """The names in a directory, as the disk has them."""
    return {path.name.encode() for path in directory.iterdir()}


def test_every_kind_of_file(tmp_path: Path) -> None:
    """There are JPEGs, a PNG, HEICs, an MP4, a MOV, a RAW and a sidecar, all media to us."""
    copies = copy_samples(tmp_path / "new" / "folder")

    extensions = sorted(extension_of(path.name.encode()) for path in copies)
    assert extensions == sorted(b"dng heic heic jpg jpg jpg jpg mov mp4 png xmp".split())
    assert {kind_of(path.name.encode()) for path in copies} == set(Kind)


def test_copies_are_whole_and_small(tmp_path: Path) -> None:
    """The copies are below the target, less than 1 MB together, and none is cut off."""
    copies = copy_samples(tmp_path)

    assert sorted(copies) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in copies) < 1_000_000
    for path in copies:
        found = judge(reading(path), path.stat().st_size, path.name.encode())
        cannot_be_told = path.suffix in (".dng", ".xmp")
        assert found == (Completeness.UNKNOWN if cannot_be_told else Completeness.WHOLE)


def test_copying_twice(tmp_path: Path) -> None:
    """A second copy writes over the first and nothing else."""
    other = tmp_path / "mine.jpg"
    other.write_bytes(b"mine")

    assert copy_samples(tmp_path) == copy_samples(tmp_path)
    assert other.read_bytes() == b"mine"


def test_live_photo(tmp_path: Path) -> None:
    """The MOV and its still carry the same content identifier."""
    copy_samples(tmp_path)
    motion = tmp_path / "Camera" / "IMG_0042.MOV"
    identifier = content_identifier(reading(motion), motion.stat().st_size, b"IMG_0042.MOV")

    assert still_of(b"IMG_0042.MOV", names_in(tmp_path / "Camera")) == b"IMG_0042.HEIC"
    assert identifier is not None
    assert identifier.encode() in (tmp_path / "Camera" / "IMG_0042.HEIC").read_bytes()


def test_sidecar_comes_first(tmp_path: Path) -> None:
    """The sidecar is written before any photo, so that it is there when its photo is found."""
    copies = copy_samples(tmp_path)

    assert copies[0].name == "Old slide.jpg.xmp"
    assert sidecar_of(b"Old slide.jpg", names_in(copies[0].parent)) == b"Old slide.jpg.xmp"
