"""Frames of other programs: a folder, a video or an archive, and one sentence for everything that does not fit."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from baselines.from_disk import FromDisk
from vibench.clip import Frames, Holed
from vibench.data.cases import export_cases
from vibench.errors import InputError
from vibench.media.video import write_lossless
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.runner.order import Order
from vibench.runner.run import carry_out

NAME = "swan/square"
FRAMES = np.random.default_rng(0).integers(0, 256, (12, 16, 24, 3), np.uint8)
HOLED = Holed(NAME, np.zeros_like(FRAMES), np.ones(FRAMES.shape[:3], bool))


def png(frame: Frames) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "png")
    return stream.getvalue()


def contents() -> dict[str, bytes]:
    """Names that sort by number, not by letter, and other files in between."""
    frames = {f"{NAME}/{t}.png": png(frame) for t, frame in enumerate(FRAMES)}
    return {**frames, f"{NAME}/notes.txt": b"x", "swan/other/0.png": png(FRAMES[0]), f"{NAME}/.hidden.png": b"x"}


def as_folder(root: Path) -> Path:
    for name, content in contents().items():
        (root / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "out" / name).write_bytes(content)
    return root / "out"


def as_zip(root: Path) -> Path:
    with zipfile.ZipFile(root / "out.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents().items():
            archive.writestr(name, content)
    return root / "out.zip"


def as_tar(root: Path) -> Path:
    with tarfile.open(root / "out.tar.gz", "w:gz") as archive:
        for name, content in contents().items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return root / "out.tar.gz"


def as_video(root: Path) -> Path:
    write_lossless(root / "out" / f"{NAME}.mkv", FRAMES, 24)
    return root / "out"


@pytest.mark.parametrize("write", [as_folder, as_zip, as_tar, as_video])
def test_every_layout_gives_the_frames_in_order(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    np.testing.assert_array_equal(FromDisk(path=str(write(tmp_path)))(HOLED), FRAMES)


def test_a_program_that_knows_only_clips_is_read_by_clip(tmp_path: Path) -> None:
    folder = as_folder(tmp_path)
    (folder / NAME).rename(tmp_path / "frames")
    (folder / "swan" / "other" / "0.png").unlink()
    (folder / "swan" / "other").rmdir()
    (folder / "swan").rmdir()
    (tmp_path / "frames").rename(folder / "swan")
    np.testing.assert_array_equal(FromDisk(path=str(folder), by="clip")(HOLED), FRAMES)


def hostile_tar(root: Path) -> Path:
    """Members that point out of the archive, and a link where a frame should be."""
    with tarfile.open(root / "hostile.tar", "w") as archive:
        for name in ("../escaped.png", f"/{NAME}/0.png", f"{NAME}/../../escaped.png"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"bad"))
        link = tarfile.TarInfo(f"{NAME}/0.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return root / "hostile.tar"


def torn_zip(root: Path) -> Path:
    whole = as_zip(root).read_bytes()
    (root / "torn.zip").write_bytes(whole[: len(whole) // 2])
    return root / "torn.zip"


def short(root: Path) -> Path:
    (as_folder(root) / NAME / "11.png").unlink()
    return root / "out"


def long(root: Path) -> Path:
    (as_folder(root) / NAME / "12.png").write_bytes(png(FRAMES[0]))
    return root / "out"


def small(root: Path) -> Path:
    for path in (as_folder(root) / NAME).glob("[0-9]*.png"):
        path.write_bytes(png(FRAMES[0, :8]))
    return root / "out"


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (hostile_tar, "holds no images"),
        (torn_zip, "not a whole archive"),
        (short, "11 frames of 24x16"),
        (long, "13 frames of 24x16"),
        (small, "12 frames of 24x8"),
        (lambda root: root, "holds neither a folder"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path: Path, write: Callable[[Path], Path], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        FromDisk(path=str(write(tmp_path)))(HOLED)
    assert not list(tmp_path.rglob("escaped.png"))


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines.from_disk.MAX_CASE_BYTES", 2**10)
    with pytest.raises(InputError, match="unpack to more than"):
        FromDisk(path=str(as_zip(tmp_path)))(HOLED)


class Quiet:
    def started(self, total: int, remaining: int) -> None: ...
    def finished(self, record: object) -> None: ...
    def say(self, sentence: str) -> None: ...


def test_exported_cases_filled_elsewhere_score_like_a_method_and_are_not_timed(tmp_path: Path) -> None:
    """The way of another program: export, fill (here with telea), score; against telea inside."""
    import cv2

    protocol = Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "t", "description": "d", "seed": 3,
            "data": {"dataset": "bundled", "frames": 3},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": ["psnr"]},
        }
    )  # fmt: skip
    ((name, frames),) = export_cases(protocol, tmp_path / "cases", None, 1)
    assert frames == 3
    for path in sorted((tmp_path / "cases" / name / "frames").iterdir()):
        mask = cv2.imread(str(path.parent.parent / "masks" / path.name), cv2.IMREAD_GRAYSCALE)
        assert set(np.unique(mask)) == {0, 255}
        (tmp_path / "filled" / name).mkdir(parents=True, exist_ok=True)
        filled = cv2.inpaint(cv2.imread(str(path)), mask, 3, cv2.INPAINT_TELEA)
        cv2.imwrite(str(tmp_path / "filled" / name / path.name), filled)
    spec = f"from_disk[path={tmp_path / 'filled'}]"
    methods = (Spec.parse(spec), Spec.parse("telea"))
    store = carry_out(
        Order(protocol=protocol, methods=methods, metrics=("psnr",), output=tmp_path / "out", limit=1), Quiet()
    )
    records = {record.method: record for record in store.records()}
    assert records[spec].metrics == records["telea"].metrics
    assert records[spec].timing is None and records["telea"].timing is not None
