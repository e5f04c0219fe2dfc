"""Image files: pictures as RGB frames and masks as holes, in natural order within a folder.

Reading turns grey into RGB, puts transparent pictures over black, resolves palettes, and applies the orientation that a
camera wrote. Pictures of more than 8 bits a channel are refused, since how to reduce them is for the user to decide.
"""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vibench.clip import Frame, Mask
from vibench.errors import InputError

LOSSY = frozenset({".jpg", ".jpeg", ".webp"})
SUFFIXES = LOSSY | {".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}

MAX_PIXELS = 16_384 * 8_192
"""Larger images are refused before they are decoded."""

_EIGHT_BIT_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
# Everything Pillow's decoders let through for damaged files.
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)


def image_files(folder: Path) -> list[Path]:
    """Return the images right inside ``folder``, ``frame2`` before ``frame10``, without hidden and other files."""
    return files_in(folder, SUFFIXES)


def files_in(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """Return the files right inside ``folder`` with one of ``suffixes``, in natural order, without hidden ones."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and not file.name.startswith(".")]
    return sorted(files, key=lambda file: natural(file.name))


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sorting key by which numbers inside names are compared as numbers."""
    pieces = re.findall(r"\d+|\D+", name)
    return [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def read_image(path: Path) -> Frame:
    """Read one picture as uint8 (H, W, 3) RGB.

    Raises InputError where it is missing, damaged, too large, or has more than 8 bits a channel.
    """
    picture = _opened(path)
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
    return np.array(picture.convert("RGB"))


def read_labels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Read an annotation as uint8 (H, W): its palette index or grey level, where 0 is the background.

    Raises InputError where it has colours, and in the cases of ``read_image``.
    """
    picture = _opened(path)
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode in ("L", "P"):
        return np.array(picture)
    channels = np.array(picture.convert("RGB"))
    if (channels != channels[..., :1]).any():
        raise InputError(f"{path} is a coloured image; a mask is grey: 0 outside the hole, 255 inside")
    return channels[..., 0]


def read_mask(path: Path) -> Mask:
    """Read a picture as bool (H, W), True where it is not 0; raise InputError unless it is binary (see ``binary``)."""
    return binary(read_labels(path), path, lossy=path.suffix.lower() in LOSSY)


def binary(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], path: Path, lossy: bool) -> Mask:
    """Turn grey levels, uint8 (H, W), into a mask, bool (H, W), that is True where they are not 0.

    Raises InputError unless the levels are 0 and one other value. Levels from a lossy file are True from 128 on, and
    up to 2 % of its pixels may lie in the middle half of the range, where compression blurs edges. ``path`` is for the
    error.
    """
    if lossy:
        between = float(np.mean((values >= 64) & (values < 192)))
        if between > 0.02:
            raise InputError(f"{path} is not a mask: {between:.0%} of it is neither black nor white")
        return values >= 128
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    if len(found) > 2 or (len(found) == 2 and found[0] != 0):
        raise InputError(
            f"{path} is not a binary mask: it holds {len(found)} values from {found[0]} to {found[-1]}; "
            "use 0 outside the hole and 255 inside"
        )
    return values > 0


def _opened(path: Path) -> Image.Image:
    """Decode a picture and turn it upright."""
    if not path.is_file():
        raise InputError(f"there is no image file {path}")
    try:
        with warnings.catch_warnings():
            # Our own limit decides; Pillow's warning comes earlier and its error later.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise InputError(f"{path} says it has {picture.width}x{picture.height} px; at most {MAX_PIXELS} px")
                if picture.mode not in _EIGHT_BIT_MODES:
                    raise InputError(
                        f"{path} has more than 8 bits a channel (mode {picture.mode}); convert it to 8 bits"
                    )
                return ImageOps.exif_transpose(picture)
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} says it has more than {MAX_PIXELS} px; that is no frame of a video") from error
    except _DECODING_ERRORS as error:
        raise InputError(f"{path} cannot be decoded as an image, it is damaged or cut short: {error}") from error
