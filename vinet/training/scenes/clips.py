"""Real clips: random crops of videos, with DIS flow between frames computed once and kept."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vinet.dis import dis
from vinet.errors import VINetError
from vinet.files import replacing
from vinet.training.scenes.chance import whole
from vinet.training.scenes.holes import holes
from vinet.training.scenes.scene import Motion

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")
MOST_FRAMES = 240
KEPT_CLIPS = 32


@dataclass(frozen=True)
class Video:
    """Frames of a video and the digest that its flow is kept under."""

    frames: NDArray[np.uint8]
    """(T, H, W, 3) RGB."""
    sha256: str


def videos(folder: str, held_out: tuple[str, ...], *, validation: bool) -> tuple[Path, ...]:
    """The videos of `folder` on one side of the split by name, in the order of their names."""
    root = Path(folder)
    if not root.is_dir():
        raise VINetError(f"data.clips must be a folder of videos (option --clips), not {folder!r}")
    files = sorted(path for path in root.iterdir() if path.suffix.lower() in SUFFIXES)
    unknown = set(held_out) - {path.stem for path in files}
    if unknown:
        raise VINetError(f"data.validation_clips names {', '.join(sorted(unknown))}, which {folder} does not hold")
    chosen = tuple(path for path in files if (path.stem in held_out) == validation)
    if not chosen and not validation:
        raise VINetError(f"{folder} holds no video to train on")
    return chosen


@lru_cache(maxsize=KEPT_CLIPS)
def video(path: Path) -> Video:
    """The first frames of a video; VINetError where it cannot be read."""
    try:
        with av.open(str(path)) as container:
            decoded = container.decode(video=0)
            frames = [frame.to_ndarray(format="rgb24") for frame, _ in zip(decoded, range(MOST_FRAMES), strict=False)]
    except (av.error.FFmpegError, IndexError) as error:
        raise VINetError(f"{path} is not a video that can be read: {error}") from error
    return Video(np.stack(frames), hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True)
class Excerpt:
    """Where a crop lies in a video."""

    video: Video
    start: int
    top: int
    left: int


@dataclass(frozen=True)
class RealScene:
    """B crops of real clips; see `Scene`. Flow is an estimate, and pixels that stay in the frame count as visible."""

    excerpts: tuple[Excerpt, ...]
    size_px: int
    masks: Tensor
    """(B, T, 1, H, W)."""
    cache: Path
    _frames: dict[int, Tensor] = field(default_factory=dict)

    def frame(self, time: int) -> Tensor:
        """See `Scene`."""
        if time not in self._frames:
            crops = [self._crop(e, e.video.frames[e.start + time]) for e in self.excerpts]
            planes = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(self.masks)
            self._frames[time] = planes / 127.5 - 1
        return self._frames[time]

    def mask(self, time: int) -> Tensor:
        """See `Scene`."""
        return self.masks[:, time]

    def motion(self, start: int, end: int) -> Motion:
        """See `Scene`."""
        crops = [self._crop(e, kept_flow(e.video, e.start + start, e.start + end, self.cache)) for e in self.excerpts]
        flow = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(self.masks)
        steps = torch.arange(self.size_px, device=flow.device, dtype=flow.dtype)
        x, y = steps + flow[:, 0], steps[:, None] + flow[:, 1]
        inside = (x >= 0) & (y >= 0) & (x <= self.size_px - 1) & (y <= self.size_px - 1)
        return Motion(flow, inside[:, None].float())

    def _crop(self, excerpt: Excerpt, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        rows = slice(excerpt.top, excerpt.top + self.size_px)
        return plane[rows, excerpt.left : excerpt.left + self.size_px]


def real(
    chance: torch.Generator,
    paths: tuple[Path, ...],
    batch: int,
    frames: int,
    size_px: int,
    cache: Path,
    device: torch.device,
) -> RealScene:
    """A batch of excerpts drawn by `chance`; VINetError where a video is shorter or smaller than a crop."""
    excerpts = []
    for _ in range(batch):
        path = paths[whole(chance, 0, len(paths) - 1)]
        clip = video(path)
        length, height, width = clip.frames.shape[:3]
        if length < frames or min(height, width) < size_px:
            raise VINetError(
                f"{path} has {length} frames of {width}x{height} px; this stage needs {frames} of {size_px} px"
            )
        excerpts.append(
            Excerpt(
                clip,
                whole(chance, 0, length - frames),
                whole(chance, 0, height - size_px),
                whole(chance, 0, width - size_px),
            )
        )
    masks = torch.stack([holes(chance, frames, size_px, size_px) for _ in range(batch)])
    return RealScene(tuple(excerpts), size_px, masks.to(device), cache)


def kept_flow(clip: Video, start: int, end: int, cache: Path) -> NDArray[np.float32]:
    """DIS flow (H, W, 2) between two whole frames, from `cache` if it was ever computed; half precision either way."""
    key = hashlib.sha256(f"dis-medium {cv2.__version__} {clip.sha256} {start} {end}".encode()).hexdigest()
    path = cache / f"{key}.npy"
    if not path.is_file():
        grey = [np.asarray(cv2.cvtColor(clip.frames[i], cv2.COLOR_RGB2GRAY), np.uint8) for i in (start, end)]
        # Other processes may be reading, or computing the same.
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, dis(grey[0], grey[1]).astype(np.float16))
    return np.asarray(np.load(path, allow_pickle=False), np.float32)
