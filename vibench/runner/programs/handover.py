"""What a program is given and what it leaves: the frames and masks of a clip as files, and its frames read back.

What it leaves is as hostile as any file from outside: names that lead elsewhere, pictures of another size, too few of
them, or too many, are a sentence before anything of them is decoded into memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from PIL import Image

from vibench.clip import Frame, Frames, Holed, Masks
from vibench.errors import InputError, one_line
from vibench.media.images import natural, picture_size, read_image
from vibench.media.resize import dilate, resize_frames, resize_masks
from vibench.media.video import as_fraction, iter_video
from vibench.runner.programs.method_file import Input, Output, is_numbered, is_pattern, is_video, numbered

JPEG_QUALITY = 95
LISTED = 8
"""So many names are shown of what a program left instead of its frames."""
ROUNDED = Interpolation.BILINEAR | Interpolation.ACCURATE_RND
"""Without it the conversion to YUV is off by a level or two."""
Pictures = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
"""Frames (T, H, W, 3) or masks (T, H, W), or one of them."""


@dataclass(frozen=True)
class Given:
    """A clip as the program gets it: resized, padded, masks dilated; and how what it makes becomes the clip again.

    ``frames`` are uint8 (T, H, W, 3), ``masks`` bool (T, H, W). ``height``, ``width`` and ``count`` are the clip's own.
    """

    frames: Frames
    masks: Masks
    height: int
    width: int
    count: int
    how: Input

    @property
    def values(self) -> dict[str, object]:
        """What the names of a method file's templates stand for, as far as it follows from the clip."""
        count, height, width = self.masks.shape
        y, x = np.nonzero(self.masks.any(axis=0))
        left, top = (int(x.min()), int(y.min())) if len(x) else (0, 0)
        right, bottom = (int(x.max()) + 1, int(y.max()) + 1) if len(x) else (0, 0)
        rate = self.how.frames_per_second
        return {
            "width": width, "height": height, "count": count, "frames_per_second": f"{rate:g}",
            "duration": int(-(-count // rate)), "hole_x": left, "hole_y": top, "hole_width": right - left,
            "hole_height": bottom - top,
        }  # fmt: skip

    def restored(self, frames: Frames) -> Frames:
        """Return what the program made, of the size that it was given, in the size and number of the clip."""
        frames = frames[: self.count]
        if self.how.fit == "pad" and self.how.width_px is None:
            return np.ascontiguousarray(frames[:, : self.height, : self.width])
        return resize_frames(frames, self.width, self.height, self.how.filter)


def given(holed: Holed, how: Input) -> Given:
    """Make the clip what the program takes; InputError where it is longer than that, or may not be of this length."""
    count, height, width = holed.masks.shape
    if how.most_frames is not None and count > how.most_frames:
        raise InputError(f"it takes at most {how.most_frames} frames, and the clip has {count}")
    frames, masks = holed.frames, holed.masks
    new_width, new_height = how.width_px or width, how.height_px or height
    if how.fit == "resize" or how.width_px is not None:
        new_width, new_height = _up(new_width, how.multiple), _up(new_height, how.multiple)
        frames, masks = (
            resize_frames(frames, new_width, new_height, how.filter),
            resize_masks(masks, new_width, new_height),
        )
    else:
        more = ((0, 0), (0, _up(height, how.multiple) - height), (0, _up(width, how.multiple) - width))
        frames, masks = np.pad(frames, (*more, (0, 0)), "edge"), np.pad(masks, more)
    masks = dilate(masks, how.dilation_iterations)
    wanted = max(count, how.least_frames)
    wanted += (how.count_remainder - wanted) % how.count_multiple
    if how.most_frames is not None and wanted > how.most_frames:
        raise InputError(f"it takes at most {how.most_frames} frames, and the clip would need {wanted} to fit")
    last = np.minimum(np.arange(wanted), count - 1)  # the last frame again, as often as it is needed
    return Given(frames[last], masks[last], height, width, count, how)


def hand_over(clip: Given, job: Path) -> dict[str, str]:
    """Write the frames and masks of ``clip`` into the folder ``job``; return the paths that their names stand for.

    InputError where the disk has no room for them.
    """
    needed = 2 * (clip.frames.nbytes + clip.masks.nbytes)
    if needed > (free := shutil.disk_usage(job).free):
        raise InputError(
            f"the frames need up to {needed / 1e9:.1f} GB in {job}, and it has {free / 1e9:.1f} GB of room"
        )
    how = clip.how
    black = np.uint8(255 if how.hole == "black" else 0)
    masks = np.where(clip.masks, np.uint8(255) - black, black)
    if not (is_numbered(how.masks) or is_video(how.masks)):
        together = clip.masks.any(axis=0, keepdims=True)
        masks = np.where(together, np.uint8(255) - black, black)
    return {"frames": _write(clip.frames, how.frames, job, how), "masks": _write(masks, how.masks, job, how)}


def fetch(output: Output, clip: Given, job: Path, path: str) -> Frames:
    """Read the frames that the program left at ``path``, which is ``output.frames`` filled in.

    Returns uint8 (T, H, W, 3) of the size that the program was given. InputError says what is there instead: nothing,
    too few frames or too many, another size, links to elsewhere, damaged files.
    """
    count, height, width = clip.masks.shape
    found = _found(output, Path(path), job, count)
    frames = np.empty((count, height, width, 3), np.uint8)
    told = 0
    for frame in islice(_read(found, (height, width)), count + 1):
        if told < count:
            frames[told] = frame
        told += 1
    if told != count:
        more = "more than " if told > count else ""
        number = min(told, count)
        raise InputError(f"it left {more}{number} of {count} frames in {_shown(found[0], job)}")
    return frames


def _found(output: Output, path: Path, job: Path, count: int) -> list[Path]:
    """The video or the pictures that the program left, all of them files in the job's folder."""
    if is_numbered(path.name):
        # One more than is wanted, so that too many are noticed.
        files = [file for index in range(count + 1) if (file := numbered(path, output.first + index)).exists()]
    elif is_pattern(path.name):
        files = sorted(path.parent.glob(path.name), key=lambda file: natural(file.name)) if path.parent.is_dir() else []
    else:
        files = [path] if path.exists() else []
    if not files:
        raise InputError(f"it left nothing at {_shown(path, job)}; {_left(job)}")
    if is_video(path.name) and len(files) > 1:
        raise InputError(f"it left {len(files)} videos at {_shown(path, job)}, where one is wanted")
    for file in files:
        if file.is_symlink() or not file.is_file() or not file.resolve().is_relative_to(job.resolve()):
            raise InputError(f"it left no file of its own at {_shown(file, job)}, but a link, a folder or a device")
    return files


def _read(files: list[Path], size: tuple[int, int]) -> Iterator[Frame]:
    """Yield the frames of a video or of pictures; InputError, before it decodes them, where they have another size."""
    if is_video(files[0].name):
        video = iter_video(files[0])
        _check(files[0], (video.height, video.width), size)
        yield from video
        return
    for file in files:
        _check(file, picture_size(file), size)
        yield read_image(file)


def _check(file: Path, found: tuple[int, int], size: tuple[int, int]) -> None:
    if found != size:
        raise InputError(f"it left {file.name} of {found[1]}x{found[0]} px, and was given {size[1]}x{size[0]} px")


def _write(pictures: Pictures, name: str, job: Path, how: Input) -> str:
    """Write frames (T, H, W, 3) or masks (T, H, W) under ``name``; return the path that stands for them."""
    path = job / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_video(name):
        _write_video(path, pictures, how.frames_per_second)
        return str(path)
    if not is_numbered(name):
        _write_picture(path, pictures[0])
        return str(path)
    for index, picture in enumerate(pictures):
        _write_picture(numbered(path, how.first + index), picture)
    return str(path.parent)


def _write_picture(path: Path, picture: Pictures) -> None:
    if path.suffix.lower() in (".jpg", ".jpeg"):
        Image.fromarray(picture).save(path, quality=JPEG_QUALITY, subsampling=0)
    elif path.suffix.lower() == ".png":
        Image.fromarray(picture).save(path, compress_level=1)
    else:
        Image.fromarray(picture).save(path)


def _write_video(path: Path, pictures: Pictures, frames_per_second: float) -> None:
    """Write FFV1 in Matroska, exact, or else H.264 without loss, which is exact but for RGB becoming YUV 4:4:4.

    BT.601, which the readers of OpenCV take for granted whatever a file says.
    """
    exact = path.suffix.lower() == ".mkv"
    with av.open(str(path), "w") as container:
        rate = as_fraction(frames_per_second)
        if exact:
            stream = container.add_stream("ffv1", rate=rate, options={"level": "3", "g": "1"})
        else:
            stream = container.add_stream("libx264", rate=rate, options={"qp": "0", "preset": "veryfast"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "bgr0" if exact else "yuv444p"
        if not exact:
            stream.codec_context.colorspace, stream.codec_context.color_range = Colorspace.SMPTE170M, ColorRange.MPEG
        for picture in pictures:
            rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
            if exact:
                frame = frame.reformat(format="bgr0")
            else:
                colours = {"dst_colorspace": Colorspace.ITU601, "dst_color_range": ColorRange.MPEG}
                frame = frame.reformat(format="yuv444p", interpolation=ROUNDED, **colours)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _shown(path: Path, job: Path) -> str:
    inside = path.relative_to(job).as_posix() if path.is_relative_to(job) else str(path)
    return one_line(repr(inside))


def _left(job: Path) -> str:
    """What lies in the job's folder ``output`` instead, in words."""
    names = sorted(file.relative_to(job).as_posix() for file in islice((job / "output").rglob("*"), 1000))
    if not names:
        return "its folder output is empty"
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return one_line(f"there are {', '.join(names[:LISTED])}{more}")
