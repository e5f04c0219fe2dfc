"""The exceptions of vibench, and the boundary at which what others raise becomes one of them.

::

    UserError              what a user can fix; printed as one sentence, exit status 2
    ├── InputError         a file, folder, option or protocol that cannot be used as given
    │   └── InputFaults    several of these, all told at once
    ├── MissingResource    weights, data or a package that is not on this machine
    └── MethodFailed       a method that raised, died, took too long, or gave back something else than frames

Where vibench's own parts call each other wrongly, they raise a plain ``ValueError``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of the system that say that a disk, or a user's share of it, is full."""

SHOWN_CHARACTERS = 300
"""A sentence shows so much of a text that comes from outside."""


class UserError(Exception):
    """Something the user can fix: one sentence with the offending value and what would be right.

    ``traceback`` is that of foreign code which brought it about, followed by the end of what that code had printed. It
    is empty where there is neither.
    """

    traceback: str = ""


class InputError(UserError):
    """A file, folder, option or protocol that cannot be used as it was given."""


class InputFaults(InputError):
    """Several things that cannot be used as they were given; ``sentences`` has one for each."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__("; ".join(f"({number}) {text}" for number, text in enumerate(sentences, 1)))
        self.sentences = sentences


class Gathered:
    """Gathers what is wrong with independent inputs, so that a user mends it all in one go."""

    def __init__(self) -> None:
        self.errors: list[InputError] = []

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Keep an InputError of the block, and go on behind it."""
        try:
            yield
        except InputError as error:
            self.errors.append(error)

    def tell(self) -> None:
        """Raise what was gathered: the InputError itself where it is one, or else InputFaults; nothing where none."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise InputFaults(tuple(dict.fromkeys(map(str, self.errors))))


class MissingResource(UserError):
    """Weights, data or a package that this machine does not have."""


class MethodFailed(UserError):
    """A method raised, died, took too long, or gave back something else than frames."""

    def __init__(self, message: str, traceback: str = "", method: str = "the method") -> None:
        super().__init__(f"{method} failed: {message}")
        self.reason, self.traceback = message, traceback


@contextmanager
def naming(method: str) -> Iterator[None]:
    """Let a MethodFailed that the block raises name the method."""
    try:
        yield
    except MethodFailed as error:
        raise MethodFailed(error.reason, error.traceback, shown_name(method)) from error


@contextmanager
def foreign(beginning: str, error_type: type[UserError] = InputError) -> Iterator[None]:
    """Turn whatever the block raises into an ``error_type`` whose one line is ``beginning``, a colon and the reason.

    The block holds code or data of others: a reader of a file, a plug-in. A UserError passes as it is, and so does
    Ctrl-C. A call of ``sys.exit`` and a panic of a library written in Rust, which are no ``Exception``, are caught too.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        reason = reason_of(error)
        if isinstance(error, OSError) and error.filename and str(error.filename) not in beginning:
            reason = f"{reason}: {one_line(str(error.filename))}"
        raise error_type(f"{one_line(beginning)}: {reason}") from error


@contextmanager
def reading(path: object, fault: str = "cannot be read") -> Iterator[None]:
    """Turn whatever a reader raises into one InputError: the name of the file, its ``fault``, a colon and the reason.

    Every reader of a file from outside stands in such a block, since a damaged file makes a decoder raise anything.
    """
    with foreign(f"{path} {fault}"):
        yield


def reason_of(error: BaseException) -> str:
    """Return what an exception says in one printable line, with its type where the text alone says too little."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than this machine gives"
    if isinstance(error, RecursionError):
        return "its values are nested too deeply"
    if isinstance(error, SystemExit):
        return f"it ended the program with status {one_line(str(error.code))}"
    text = one_line((isinstance(error, OSError) and error.strerror) or said_by(error))
    if isinstance(error, UserError | OSError | ValueError | RuntimeError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shown_text(text: str) -> str:
    """Return a text of several lines as it can stand on a terminal: each line as ``shown_name`` returns it."""
    return "\n".join(shown_name(line.expandtabs()) for line in text.splitlines())


def said_by(error: BaseException) -> str:
    """Return the text of an exception, whose own code may fail at putting it into words."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - foreign code
        return "(it cannot say what)"


def shown_name(name: str) -> str:
    """Return a name as it can stand in a record, on a page and on a terminal.

    Characters that are no text or steer a terminal (control characters, line breaks, changes of the direction of
    writing, bytes of a file name that are no UTF-8) become escapes such as ``\\xe9``; all others stay.
    """
    return _STEERING.sub(lambda found: _escaped(found[0]), name)


_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _escaped(letter: str) -> str:
    # Python holds the byte 0xe9 of a file name that is no UTF-8 as the letter U+DCE9.
    is_byte = "\udc80" <= letter <= "\udcff"
    return f"\\x{ord(letter) - 0xDC00:02x}" if is_byte else letter.encode("unicode_escape").decode()


def one_line(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Return ``text`` in one line of printable characters, cut to ``most`` of them.

    Line breaks become spaces. Other characters that steer a terminal, or that are not text, are written as escapes such
    as ``\\x1b``, so that they can be seen and do nothing.
    """
    cut = text if len(text) <= most else f"{text[: most - 3]}..."
    words = " ".join(cut.split())
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in words)


def disk_sentence(error: OSError, folder: Path | None = None) -> UserError:
    """Return what a user can do about an error of the disk; ``folder`` is what was written into, if that is known."""
    place = one_line(str(folder or error.filename or "the output"))
    if error.errno in DISK_FULL:
        return UserError(
            f"no space left on the disk of {place!r}; everything finished so far is kept: "
            "free some space and give the same command again"
        )
    if folder is None:
        return InputError(f"{place!r} cannot be used: {error.strerror}; name another place, or change who may use it")
    return InputError(f"cannot write into {place!r}: {error.strerror}; choose another --output")
