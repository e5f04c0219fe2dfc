"""The boundaries: whatever files, plug-ins, disks and terminals do, a command ends in one sentence of one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome
from PIL import Image
from small_protocol import small_protocol

from vibench.errors import InputError, MissingResource, UserError, foreign, one_line, reading, shown_name
from vibench.files import replacing, write_atomically


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with two clips and a protocol of them."""
    for clip in ("ant", "bee"):
        (tmp_path / "clips" / clip).mkdir(parents=True)
        for t, frame in enumerate(np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), np.uint8)):
            Image.fromarray(frame).save(tmp_path / "clips" / clip / f"{t}.png")
    (tmp_path / "p.toml").write_text(small_protocol("tiny"))
    return tmp_path


RUN = ("run", "-p", "p.toml", "-m", "telea,identity", "-o", "out")


def in_process_of_its_own(folder: Path, *words: str, **variables: str) -> Outcome:
    command = [sys.executable, "-m", "vibench", *words]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


# ---- the mechanism


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (ValueError("two\nlines\x1b[31m"), r"two lines\\x1b\[31m"),
        (KeyError("a"), "KeyError: 'a'"),
        (IndexError(), "IndexError"),
        (AssertionError(), "AssertionError"),
        (MemoryError(), "more memory than this machine gives"),
        (RecursionError(), "nested too deeply"),
        (SystemExit(0), "ended the program with status 0"),
        (PermissionError(13, "Permission denied", "elsewhere"), "Permission denied: elsewhere"),
        (PermissionError(13, "Permission denied", "a.npz"), "Permission denied$"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "invalid"),
    ],
)
def test_whatever_a_reader_raises_becomes_one_printable_line(raised: BaseException, reason: str) -> None:
    with (
        pytest.raises(InputError, match=f"^a.npz is no archive: .*{reason}") as caught,
        reading("a.npz", "is no archive"),
    ):
        raise raised
    assert str(caught.value).isprintable() and caught.value.__cause__ is raised


def test_a_panic_of_a_library_in_rust_is_caught_and_ctrl_c_is_not() -> None:
    class PanicException(BaseException):
        """As pyo3 raises it."""

    with pytest.raises(MissingResource, match="weights: PanicException: index"), foreign("weights", MissingResource):
        raise PanicException("index out of range")
    with pytest.raises(KeyboardInterrupt), reading("a"):
        raise KeyboardInterrupt
    with pytest.raises(UserError, match="^as it was$"), reading("a"):
        raise UserError("as it was")


def test_names_and_messages_cannot_steer_a_terminal() -> None:
    assert shown_name("caf\udce9 é 中\x1b[2J\n\u202e") == "caf\\xe9 é 中\\x1b[2J\\n\\u202e"
    assert one_line("a\r\n b\t\x07c" + "x" * 999, 20) == "a b \\x07cxxxxxxxxx..."
    assert shown_name("ordinary name, 1.png") == "ordinary name, 1.png"


# ---- the command


def broken_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("vibench.runner.listing.list_methods", fails)


def test_a_fault_of_our_own_is_one_line_with_status_70(
    vibench: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_command(monkeypatch, KeyError("lost\nkey"))
    status, _, told = vibench("list", "methods")
    assert status == 70 and len(told.splitlines()) == 1
    assert told.startswith("Error: vibench met a fault of its own: KeyError: 'lost") and "VIBENCH_TRACEBACK=1" in told
    monkeypatch.setenv("VIBENCH_TRACEBACK", "1")
    with pytest.raises(KeyError):
        vibench("list", "methods")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device", "/disk/a"), "no space left on the disk of '/disk/a'"),
        (PermissionError(13, "Permission denied", "/root/a"), "'/root/a' cannot be used: Permission denied"),
        (MemoryError(), "more memory than the machine gives"),
        (UserError("two\nlines"), "Error: two lines"),
    ],
)
def test_what_the_machine_refuses_is_a_sentence_with_status_2(
    vibench: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    broken_command(monkeypatch, error)
    status, _, told = vibench("list", "methods")
    assert status == 2 and sentence in told and len(told.splitlines()) == 1


@pytest.mark.parametrize("words", [["list", "datasets"], ["--help"], ["run", "--help"]])
def test_a_reader_of_the_output_that_goes_away_ends_a_command_quietly(words: list[str]) -> None:
    """Such as ``head``: for what we print ourselves, and for what rich prints."""
    writing = subprocess.Popen(
        [sys.executable, "-m", "vibench", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writing.stdout is not None and writing.stderr is not None
    writing.stdout.close()
    told = writing.stderr.read()
    writing.stderr.close()
    writing.wait(60)
    assert told == b""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_terminal_that_lacks_letters_gets_others(tiny: Path, encoding: str) -> None:
    """Case 31: the work is done, and the command ends as it ends elsewhere."""
    status, _, told = in_process_of_its_own(tiny, *RUN)
    assert status == 0, told
    (run,) = (tiny / "out").iterdir()
    for words in (RUN, ("score", str(run)), ("compare", f"{run}::telea", f"{run}::identity")):
        plain = in_process_of_its_own(tiny, *words, PYTHONIOENCODING="utf-8")
        poor = in_process_of_its_own(tiny, *words, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert poor[0] == plain[0] and "Traceback" not in poor[2], poor[2]
        assert len(poor[1].splitlines()) == len(plain[1].splitlines())


def test_a_module_of_the_current_folder_is_found_by_the_installed_command(tiny: Path) -> None:
    """As README promises; and a file there that is called like a library does not take the library's place."""
    (tiny / "grey.py").write_text("class Grey:\n    def __call__(self, holed):\n        return holed.frames.copy()\n")
    (tiny / "pandas.py").write_text("raise RuntimeError('this is not pandas')\n")
    words = ["run", "-p", "p.toml", "-m", "grey:Grey", "-o", "out"]
    installed = f"import sys; sys.argv = ['vibench', *{words!r}]; sys.path = [p for p in sys.path if p]\n"
    command = [sys.executable, "-c", f"{installed}from vibench.cli import main; main()"]
    done = subprocess.run(command, cwd=tiny, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tiny / "out").glob("*/records/*/*.json"))) == 2


# ---- disks and names


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path: Path) -> None:
    """Case 33: 240 bytes, of letters that take one byte and of letters that take three."""
    for stem in ("x" * 236, "字" * 78, "x"):
        for suffix in (".mkv", "." + "y" * 10):
            path = tmp_path / f"{stem}{suffix}"
            with replacing(path) as partial:
                partial.write_bytes(b"film")
            assert path.read_bytes() == b"film"
    assert len(list(tmp_path.iterdir())) == 6


def test_a_device_or_a_pipe_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    """A rename onto /dev/full, by a user who may do that, would put a file in its place for the whole machine."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is a pipe or a device; name a file that may be written"):
        write_atomically(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_an_output_that_is_a_folder_is_refused_before_anything_is_filled(
    vibench: Callable[..., Outcome], tmp_path: Path
) -> None:
    """Case 34."""
    from vibench.media.video import write_lossless

    write_lossless(tmp_path / "in.mkv", np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8))
    mask = np.zeros((48, 64), np.uint8)
    mask[5:20, 5:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (tmp_path / "out.mkv").mkdir()
    status, _, told = vibench("inpaint", "in.mkv", "--mask", "mask.png", "-m", "telea", "-o", "out.mkv", "--overwrite")
    assert status == 2 and told == "Error: out.mkv is a folder; name a file that may be written\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names of other encodings need a file system that takes bytes")
def test_a_clip_whose_name_is_not_utf_8_is_measured_under_an_escaped_name(
    tiny: Path, vibench: Callable[..., Outcome]
) -> None:
    """Case 32, and a name that would steer a terminal."""
    os.rename(tiny / "clips" / "bee", os.fsencode(tiny / "clips") + b"/caf\xe9")
    shutil.copytree(tiny / "clips" / "ant", tiny / "clips" / "red\x1b[31m\nant")
    status, out, told = vibench(*RUN)
    assert status == 0, told
    assert "caf\\xe9/square" in told and "red\\x1b[31m\\nant/square" in told and "\x1b" not in told + out
    (run,) = (tiny / "out").iterdir()
    assert len(list(run.glob("records/*/*.json"))) == 6
    assert vibench("report", str(run), "-o", "rep")[0] == 0
    assert vibench(*RUN)[2].startswith("0 of 6 records to make")


def test_frames_in_a_folder_that_is_not_utf_8_are_read(tiny: Path) -> None:
    words = ["run", "-p", "p.toml", "-o", "out", "-m"]
    place = os.fsencode(tiny) + b"/caf\xe9"
    for clip in ("ant", "bee"):
        os.makedirs(place + b"/" + clip.encode())
        shutil.copytree(os.fsencode(tiny / "clips" / clip), place + b"/" + clip.encode() + b"/square")
    method = b"from_disk[path=" + place + b"]"
    command = [sys.executable, "-m", "vibench", *words, method]
    done = subprocess.run(command, cwd=tiny, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"caf\\xe9" in done.stderr and len(list((tiny / "out").glob("*/records/*/*.json"))) == 2


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """Make a folder one that may only be read: by its mode, and for root, whom no mode stops, by a mount."""
    mounted: list[Path] = []

    def make(folder: Path) -> None:
        if os.getuid() != 0:
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o555 if path.is_dir() else 0o444)
            return
        for how in (["--bind", str(folder), str(folder)], ["-o", "remount,bind,ro", str(folder)]):
            if subprocess.run(["mount", *how], capture_output=True, check=False).returncode:
                pytest.skip("root may write anywhere, and cannot mount a folder for reading only here")
            mounted.append(folder)

    yield make
    for folder in set(mounted):
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_run_that_one_may_only_read_is_shown_and_a_complete_one_is_complete(
    tiny: Path, read_only: Callable[[Path], None]
) -> None:
    """Case 36."""
    status, _, told = in_process_of_its_own(tiny, *RUN)
    assert status == 0, told
    (run,) = (tiny / "out").iterdir()
    (run / ".lock").unlink(missing_ok=True)
    mine = tiny / "mine"
    read_only(tiny / "out")
    for words, expected in (
        (("list", "runs", "-o", "out"), 0), (("report", str(run), "-o", str(mine / "report")), 0),
        (("compare", f"{run}::telea", f"{run}::identity"), 0), (("score", str(run)), 0), (RUN, 0),
        (("run", "-p", "p.toml", "-m", "telea", "-o", "out"), 2),
    ):  # fmt: skip
        status, out, told = in_process_of_its_own(tiny, *words)
        assert (status, "Traceback" in told) == (expected, False), (words, out, told)
    assert "cannot write into" in told and len(told.strip().splitlines()) == 1


def test_a_protocol_with_a_byte_order_mark_is_read(tiny: Path, vibench: Callable[..., Outcome]) -> None:
    """Case 41."""
    (tiny / "p.toml").write_bytes(b"\xef\xbb\xbf" + (tiny / "p.toml").read_bytes())
    assert vibench(*RUN)[0] == 0


# ---- plug-ins


@pytest.mark.parametrize("body", ["raise RuntimeError('built for\\nCUDA 11.8')", "import sys\nsys.exit(0)"])
def test_a_plug_in_that_cannot_be_imported_ends_a_run_with_its_name(
    tiny: Path, vibench: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """Cases 26 and 27."""
    name = f"mine_{len(body)}"
    (tiny / f"{name}.py").write_text(body)
    monkeypatch.syspath_prepend(tiny)
    status, _, told = vibench("run", "-p", "p.toml", "-m", f"{name}:M,telea", "-o", "out")
    assert status == 2 and len(told.splitlines()) == 1
    assert told.startswith(f"Error: the method {name}:M cannot be imported: ")
