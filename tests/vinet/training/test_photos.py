"""Photos as a folder or prepared as one file: the same squares, the same split."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from training_run import photo_folder
from typer.testing import CliRunner

from vinet.cli import app
from vinet.errors import VINetError
from vinet.training.scenes.photos import SIDE_PX, photos, prepare, squares
from vinet.training.scenes.synthetic import synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("photos") / "folder")


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    path = folder.parent / "prepared.safetensors"
    result = CliRunner().invoke(app, ["prepare", str(folder), str(path)])
    assert result.exit_code == 0 and "10 photos" in result.output
    return path


@pytest.mark.parametrize("validation", [False, True])
def test_a_prepared_file_is_its_folder(folder: Path, file: Path, validation: bool) -> None:
    there, here = (photos(str(path), validation=validation) for path in (folder, file))
    assert [path.name for path in here] == [path.name for path in there]
    assert torch.equal(squares(here), squares(there))
    assert squares(here).shape == (len(there), 3, SIDE_PX, SIDE_PX)


def test_a_scene_is_the_same_from_either(folder: Path, file: Path) -> None:
    def scene(path: Path) -> Tensor:
        chance, cpu = torch.Generator().manual_seed(3), torch.device("cpu")
        return synthetic(chance, photos(str(path), validation=False), 2, 3, 32, 2.0, cpu).frame(1)

    assert torch.equal(scene(folder), scene(file))


def test_what_is_neither_a_folder_nor_a_prepared_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.safetensors").write_bytes(b"not whole")
    for path, words in ((tmp_path / "nowhere", "one prepared file"), (tmp_path / "torn.safetensors", "vinet prepare")):
        with pytest.raises(VINetError, match=words):
            photos(str(path), validation=False)
    with pytest.raises(VINetError, match="no folder of photos"):
        prepare(tmp_path, tmp_path / "out.safetensors")
