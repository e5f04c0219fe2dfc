"""The command ``vibench``: it registers every command, in the order in which help lists them."""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from typing import Annotated

import typer

from vibench.cli import (
    compare,
    data,
    history,
    inpaint,
    merge,
    pack,
    publish,
    regress,
    report,
    reproduce,
    run,
    speed,
    study,
    table,
)
from vibench.cli.cache import cache
from vibench.cli.doctor import doctor
from vibench.cli.protocol import protocol
from vibench.errors import InputFaults, MethodFailed, UserError, disk_sentence, one_line, reason_of, shown_text

TRACEBACK_VARIABLE = "VIBENCH_TRACEBACK"
"""Set to anything, it lets an unexpected exception through with its traceback, for a report or a debugger."""

OWN_FAULT = 70
"""Exit status after an exception that nobody foresaw: EX_SOFTWARE of sysexits.h."""

SENTENCE_CHARACTERS = 2000

app = typer.Typer(
    name="vibench",
    help="Measure video inpainting honestly: run methods on standard holes, score them, compare and report.",
    epilog="Start with: vibench run --methods telea,flow_propagation --protocol bundled --output results",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line and end the process.

    What a user can fix is one sentence on standard error and exit status 2. An exception that nobody foresaw is one
    line too, with exit status 70. Where ``$VIBENCH_TRACEBACK`` is set, the traceback stands above: that of vibench, or
    of a method or another plug-in that failed, with the end of what it had printed.
    A reader of the output that goes away, such as ``head``, ends the command quietly.
    """
    _write_whatever_the_terminal_takes()
    _find_modules_of_the_current_folder()
    output = _file_of_output()
    try:
        try:
            app()
        except SystemExit as end:
            # The library for command lines ends quietly for any broken pipe, a worker's too.
            if isinstance(end.__context__, BrokenPipeError) and not _nobody_reads(output):
                raise end.__context__ from None
            raise
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads(output):
            # What is still in the buffer would fail once more while Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        if os.environ.get(TRACEBACK_VARIABLE) and not isinstance(error, UserError):
            raise
        if isinstance(error, UserError) and error.traceback and os.environ.get(TRACEBACK_VARIABLE):
            typer.secho(shown_text(error.traceback), err=True, dim=True)
        sentence, status = _sentence(error)
        typer.secho(sentence, err=True, fg="red")
        sys.exit(status)


def _sentence(error: Exception) -> tuple[str, int]:
    """What is printed for an exception that ended a command, and the exit status."""
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
        error = disk_sentence(error)
    if isinstance(error, MemoryError):
        error = UserError("this needs more memory than the machine gives; close other programs, or use smaller frames")
    if isinstance(error, UserError):
        failed = isinstance(error, MethodFailed) and error.traceback and not os.environ.get(TRACEBACK_VARIABLE)
        hint = f" ({TRACEBACK_VARIABLE}=1 shows where, and what it printed)" if failed else ""
        sentences = error.sentences if isinstance(error, InputFaults) else (str(error),)
        return "\n".join(f"Error: {one_line(one, SENTENCE_CHARACTERS)}" for one in sentences) + hint, 2
    kind, reason = type(error).__name__, reason_of(error)
    told = reason if reason.startswith(kind) else f"{kind}: {reason}"
    hint = f"run again with {TRACEBACK_VARIABLE}=1 for the traceback, and report it"
    return f"Error: vibench met a fault of its own: {told}; {hint}", OWN_FAULT


def _file_of_output() -> tuple[int, int] | None:
    """Which file, pipe or terminal standard output is now."""
    try:
        found = os.fstat(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _nobody_reads(output: tuple[int, int] | None) -> bool:
    """Whether the reader of standard output, which was ``output``, has gone away, as far as the system tells."""
    # Rich puts /dev/null in the place of a pipe that nobody reads.
    if not hasattr(select, "poll") or _file_of_output() != output:
        return True
    watch = select.poll()
    watch.register(sys.stdout.fileno(), 0)
    return bool(watch.poll(0))


_SPELLED = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "·": "*", "×": "x", "±": "+-", "→": "->", "←": "<-", "↑": "^", "↓": "v", "…": "...",
     "≤": "<=", "≥": ">=", "≈": "~", "“": '"', "”": '"', "‘": "'", "’": "'", "²": "2", "µ": "u", "μ": "u", "⏱": "t"}
)  # fmt: skip


def _spelled_out(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding lacks by letters that look alike, and the rest by escapes such as ``\\u4e2d``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_SPELLED)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


def _write_whatever_the_terminal_takes() -> None:
    """Let no character that a terminal or a file's encoding lacks end a command after its work was done."""
    codecs.register_error("vibench", _spelled_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="vibench")


def _find_modules_of_the_current_folder() -> None:
    """Let ``module:factory`` name a module of the current folder, for the installed command as for ``python -m``.

    The folder comes last on Python's path: a file in it that is called like a library must not take the library's
    place. Its path is written out, so that it stays the same when a method changes the current folder.
    """
    try:
        here = os.getcwd()
    except OSError:
        return
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    """Print the version where that is asked for; otherwise the command that was named runs."""
    if show:
        from vibench import __version__

        typer.echo(f"vibench {__version__}")
        raise typer.Exit


app.command()(run.run)
app.command()(run.score)
app.command()(merge.merge)
app.command()(pack.pack)
app.command()(report.report)
app.command()(table.table)
app.command()(publish.publish)
app.command()(compare.compare)
app.command()(reproduce.reproduce)
app.command()(regress.regress)
app.command()(history.history)
app.command()(speed.profile)
app.command()(speed.speed)
app.command()(inpaint.inpaint)
app.command()(inpaint.retarget)
app.command()(data.export)
app.command()(data.manifest)
app.command("list")(data.list_things)
app.command()(doctor)
app.command()(report.figure)
app.command()(report.video)
app.command()(report.frames)
app.add_typer(data.app, name="data")
app.add_typer(protocol)
app.add_typer(cache)
app.add_typer(study.study)
