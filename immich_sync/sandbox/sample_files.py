"""Sample photos and videos, as a phone's backup would hold them; drawn for this, free to use.

Its own module because `demo` and the tests want real files and neither should know where they lie.
The files are in `samples/`, 0.3 MB together:

- `Camera/IMG_20240817_*.jpg`: baseline JPEGs with EXIF date, time zone and GPS.
- `Camera/IMG_20240818_093012.heic`: a HEIC with EXIF date and GPS.
- `Camera/IMG_0042.HEIC` and `IMG_0042.MOV`: a live photo; both carry the content identifier that
  Immich pairs them by (in Apple's maker note, and in the QuickTime metadata).
- `Camera/VID_20240818_203512.mp4`: three seconds of H.264, index in front, with date and place.
- `Camera/DSC_0815.dng`: a small RAW, an uncompressed 8-bit mosaic in a TIFF.
- `Holidays/Old slide.jpg`: no EXIF at all; `Old slide.jpg.xmp` says when, where and what.
- `Holidays/Alps/Evening at the lake.jpg`: a progressive JPEG, two folders down, spaces in its name.
- `Screenshots/Screenshot_20240820-221530.png`: a PNG without a date but that in its name.
"""

from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copyfile


def copy_samples(target: Path) -> list[Path]:
    """Copies the samples below a directory, made if need be; the copies, sidecars before photos.

    Files of the same name are written over. Raises OSError if the directory cannot be written to.
    """
    copies = []
    with as_file(files("immich_sync.sandbox") / "samples") as source:
        for sample in _in_order(source):
            copy = target / sample.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copyfile(sample, copy)
            copies.append(copy)
    return copies


def _in_order(source: Path) -> Iterator[Path]:
    """Sidecars first, so that a daemon which is watching finds each beside its photo."""
    found = (path for path in source.rglob("*") if path.is_file())
    yield from sorted(found, key=lambda path: (path.suffix != ".xmp", path))
