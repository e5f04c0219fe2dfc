"""Image files: pictures as RGB frames and masks as holes, in natural order within a folder.

Reading turns grey into RGB, puts transparent pictures over black, resolves palettes, and applies the orientation that a
camera wrote. Pictures of more than 8 bits a channel are refused, since how to reduce them is for the user to decide.
The content decides the format, not the name, and only the formats listed here are opened.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vibench.clip import Frame, Mask
from vibench.errors import InputError
from vibench.files import replacing
from vibench.media.hole import Levels, hole_in, levels_of_paint
from vibench.media.look import over_black

LOSSY = frozenset({".jpg", ".jpeg", ".webp"})
SUFFIXES = LOSSY | {".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
"""Pillow's names of the formats that are opened. Others, such as EPS, start programs or read other files."""

MAX_PIXELS = 16_384 * 8_192
"""Larger images are refused before they are decoded."""

_EIGHT_BIT_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
_TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_LOSSY_FORMATS = {"JPEG", "MPO", "WEBP"}
_ANIMATED = {"PNG", "WEBP", "TIFF"}  # a JPEG may hold more pictures too, but they are previews of the first
_BITS_PER_SAMPLE = 258
_ORIENTATION = 274
_PNG_DEPTH_BYTE = 24


def image_files(folder: Path) -> list[Path]:
    """Return the images right inside ``folder``, ``frame2`` before ``frame10``, without hidden and other files."""
    return files_in(folder, SUFFIXES)


def files_in(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """Return the files right inside ``folder`` with one of ``suffixes``, in natural order, without hidden ones."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and not file.name.startswith(".")]
    return sorted(files, key=lambda file: natural(file.name))


def sequence_in(folder: Path) -> tuple[Path, ...]:
    """Return the images of ``folder`` as one sequence; raise InputError where two of them differ in suffix only."""
    files = image_files(folder)
    seen: dict[str, Path] = {}
    for file in files:
        if (twin := seen.setdefault(file.stem, file)) is not file:
            raise InputError(
                f"{folder} holds {twin.name} and {file.name}: one picture twice, or two films; keep one of each name"
            )
    return tuple(files)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sorting key by which numbers inside names are compared as numbers."""
    pieces = re.findall(r"\d+|\D+", name)
    return [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def read_image(path: Path) -> Frame:
    """Read one picture as uint8 (H, W, 3) RGB.

    Raises InputError where it is missing, damaged, too large, an animation, or has more than 8 bits a channel.
    """
    return _rgb(_still(path)[0])


def write_pictures(folder: Path, pictures: Iterable[Frame | NDArray[np.uint8]]) -> int:
    """Write 00000.png, 00001.png and so on, RGB (H, W, 3) or grey (H, W), each whole; return how many there are."""
    count = 0
    for count, picture in enumerate(pictures, 1):
        with replacing(folder / f"{count - 1:05d}.png") as partial:
            Image.fromarray(picture).save(partial)
    return count


def picture_size(path: Path) -> tuple[int, int]:
    """Return the height and width of a picture as it is shown, without decoding it; InputError as ``read_image``."""
    with _opened(path) as picture, _decoding(path):
        turned = picture.getexif().get(_ORIENTATION, 1) in range(5, 9)
        return (picture.width, picture.height) if turned else (picture.height, picture.width)


def pictures_in(path: Path) -> int:
    """Return how many pictures an image file holds: more than 1 for an animation or a stack."""
    with _opened(path) as picture, _decoding(path):
        return _pictures(picture)


def read_pictures(path: Path) -> Iterator[tuple[Frame, int]]:
    """Yield each picture of a file as uint8 (H, W, 3) RGB, with its milliseconds, 0 where they are not known.

    Raises InputError as ``read_image`` does, except for an animation.
    """
    count = pictures_in(path)
    with _opened(path) as picture:
        for index in range(count):
            with _decoding(path):
                picture.seek(index)
                shown = _rgb(ImageOps.exif_transpose(picture)), int(picture.info.get("duration") or 0)
            yield shown


def read_labels(path: Path) -> Levels:
    """Read an annotation as uint8 (H, W): its palette index or grey level, where 0 is the background.

    Raises InputError where it has colours, and in the cases of ``read_image``.
    """
    picture, _ = _still(path)
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode in ("L", "P"):
        return np.array(picture)
    channels = np.array(picture.convert("RGB"))
    if (channels != channels[..., :1]).any():
        raise InputError(f"{path} is a coloured image; a mask is grey: 0 outside the hole, 255 inside")
    return channels[..., 0]


def palette_labels(path: Path) -> Levels | None:
    """Read the indices of a palette image, uint8 (H, W), or None where it is no palette image; see ``read_image``."""
    picture, _ = _still(path)
    return np.array(picture) if picture.mode == "P" else None


def read_mask(path: Path, threshold: int | None = None, peak: int = 255) -> Mask:
    """Read a picture as bool (H, W), True inside the hole; ``vibench.media.hole`` says what counts as hole.

    ``threshold`` is the lowest level of the hole where the user chose one, and ``peak`` the highest level in all masks
    of the clip. Raises InputError where the picture cannot be read, or is no mask.
    """
    levels, lossy = read_levels(path)
    return hole_in(levels, path, lossy, threshold, peak)


def read_levels(path: Path) -> tuple[Levels, bool]:
    """Read a picture as levels of a mask, uint8 (H, W), and whether its format changes them a little."""
    picture, format_name = _still(path)
    lossy = format_name in _LOSSY_FORMATS
    return _levels(picture, path, lossy), lossy


def _levels(picture: Image.Image, path: Path, lossy: bool) -> Levels:
    if _is_transparent(picture):
        colours = np.array(picture.convert("RGBA"))
        alpha = colours[..., 3]
        if (alpha < 255).any():
            painted = colours[..., :3][alpha > 0]
            if not len(painted) or (painted == painted[0]).all():
                return alpha  # paint of one colour on a transparent layer: what is painted is the hole
            if (colours[..., :3] == colours[..., :1])[alpha > 0].all():
                return over_black(colours)[..., 0]
            raise InputError(
                f"{path} is a coloured picture with transparent parts (alpha), which may or may not be the hole; "
                "save the mask in black and white: white is the hole"
            )
    return levels_of_paint(np.array(picture.convert("RGB")), path, lossy, is_palette=picture.mode == "P")


def _rgb(picture: Image.Image) -> Frame:
    if _is_transparent(picture):
        return over_black(np.array(picture.convert("RGBA")))
    return np.array(picture.convert("RGB"))


def _is_transparent(picture: Image.Image) -> bool:
    return picture.mode in _TRANSPARENT_MODES or "transparency" in picture.info


def _still(path: Path) -> tuple[Image.Image, str]:
    """Decode a picture and turn it upright; return it with the name of its format."""
    with _opened(path) as picture, _decoding(path):
        if (count := _pictures(picture)) > 1:
            raise InputError(f"{path} holds {count} pictures (an animation or a stack), where one is needed; split it")
        return ImageOps.exif_transpose(picture), picture.format or ""


def _pictures(picture: Image.Image) -> int:
    return int(getattr(picture, "n_frames", 1)) if picture.format in _ANIMATED else 1


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture of a size and depth that can be read; raise InputError for any other."""
    if not path.is_file():
        raise InputError(f"there is no image file {path}")
    with ExitStack() as stack:
        with _decoding(path):
            picture = stack.enter_context(Image.open(path, formats=FORMATS))
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(f"{path} says it has {picture.width}x{picture.height} px; at most {MAX_PIXELS} px")
            if (depth := _depth(picture, path)) > 8:
                raise InputError(
                    f"{path} has more than 8 bits a channel ({depth} bits, mode {picture.mode}); convert it to 8 bits"
                )
        yield picture


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises for a file from outside into one InputError, and its warnings into nothing."""
    try:
        with warnings.catch_warnings():
            # Among them the one for large pictures: our own limit decides, and Pillow's error comes later.
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} says it has more than {MAX_PIXELS} px; that is no frame of a video") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path} cannot be decoded as an image ({', '.join(FORMATS)}): it is of another format or damaged"
        ) from error
    except Exception as error:
        reason = str(error).partition("\n")[0][:150]
        raise InputError(f"{path} cannot be decoded as an image, it is damaged or cut short: {reason}") from error


def _depth(picture: Image.Image, path: Path) -> int:
    """Bits a channel as the file has them; Pillow cuts some pictures of 16 bits to 8, and its mode then says 8."""
    if picture.mode not in _EIGHT_BIT_MODES:
        return 32 if picture.mode == "F" else 16
    if picture.format == "PNG":
        with path.open("rb") as file:
            return file.read(_PNG_DEPTH_BYTE + 1)[_PNG_DEPTH_BYTE]
    if picture.format == "TIFF":
        bits = picture.getexif().get(_BITS_PER_SAMPLE, 1)
        return max(bits) if isinstance(bits, tuple) else int(bits)
    # The last part of a tile names what the decoder is told: a raw mode such as RGB;16B, or for PPM the highest value.
    told = [tile[3] for tile in getattr(picture, "tile", ())]
    arguments = [part for parts in told for part in (parts if isinstance(parts, tuple) else (parts,))]
    if picture.format == "PPM":
        return max((int(part).bit_length() for part in arguments if isinstance(part, int)), default=8)
    return 16 if any(";16" in str(part) for part in arguments) else 8
