"""What lies beside the pictures of a video: sound, subtitles, chapters and titles, copied into another file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from vibench.errors import InputError
from vibench.media.video import origin_of, pictures_of

# What a muxer writes itself, and the digests by which vibench knows its own files.
_OWN_METADATA = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_VIBENCH = "vibench_"
_CHAPTER_TRACK = "bin_data"  # libav's name of it in MP4
_CONTAINERS = {"matroska": ".mkv", "mov": ".mov", "mp4": ".mp4"}
_KINDS = {"audio": "sound track", "subtitle": "subtitle track", "attachment": "attachment", "data": "data track"}
# QuickTime knows the bibliographic codes of ISO 639-2 only, where there are two.
# fmt: off
_QUICKTIME_LANGUAGES = {
    "bod": "tib", "ces": "cze", "cym": "wel", "deu": "ger", "ell": "gre", "eus": "baq", "fas": "per", "fra": "fre",
    "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac", "mri": "mao", "msa": "may", "mya": "bur", "nld": "dut",
    "ron": "rum", "slk": "slo", "sqi": "alb", "zho": "chi",
}
# fmt: on

Say = Callable[[str], None]


def unheard(_: str) -> None:
    """Take a sentence and say it to nobody."""


def copied_streams(
    container: OutputContainer, source_path: Path, output: Path, stack: ExitStack, say: Say
) -> Iterator[Packet[Stream]]:
    """Add everything but the pictures of ``source_path`` to ``container`` and return its packets, in their order.

    The packets' times count from the beginning of the source, as those of ``Video.timed`` do. What ``output`` cannot
    hold is said by ``say``. Raises InputError where there is sound and no track of it can be kept. ``stack`` closes the
    source.
    """
    if not source_path.is_file():
        return iter(())
    source = stack.enter_context(av.open(os.fspath(source_path.absolute()), options={"protocol_whitelist": "file"}))
    film = pictures_of(source)
    others = [stream for stream in source.streams if stream.type != "video"]
    kept = {stream.index: stream for stream in others if _holds(container.format.name, stream)}
    lost = [stream for stream in others if stream.index not in kept]
    _refuse_silence(source, kept, source_path, output)
    for stream in lost:
        if stream.name == _CHAPTER_TRACK and source.chapters():
            continue  # the titles of chapters, which are copied as such
        name = _KINDS.get(stream.type, "track")
        say(f"{source_path}: the {name} {_title(stream)} cannot be kept in {output} and is left out")
    targets = {index: container.add_stream_from_template(stream) for index, stream in kept.items()}
    for index, target in targets.items():
        _describe(target, kept[index])
        if container.format.name == "mov" and (language := target.metadata.get("language")):
            target.metadata["language"] = _QUICKTIME_LANGUAGES.get(language, language)
    if film is not None:
        _describe(container.streams.video[0], film)
    origin = origin_of(source)
    _copy_titles(container, source, origin)
    moving = [stream for stream in kept.values() if stream.type in ("audio", "subtitle")]
    return _packets(source, moving, targets, origin) if moving else iter(())


def starts(packet: Packet[Stream]) -> Fraction:
    """The time at which a packet is heard or shown, in seconds."""
    return (packet.pts or 0) * (packet.time_base or Fraction(1))


def _packets(
    source: InputContainer, streams: list[Stream], targets: dict[int, Stream], origin: Fraction
) -> Iterator[Packet[Stream]]:
    for packet in source.demux(*streams):
        if packet.dts is None or packet.pts is None:
            continue
        offset = round(origin / (packet.time_base or Fraction(1)))
        packet.dts, packet.pts = packet.dts - offset, packet.pts - offset
        # What an edit list cuts away; before the beginning it is what a decoder needs to swing in.
        if packet.is_discard and packet.pts >= 0:
            continue
        packet.stream = targets[packet.stream.index]
        yield packet


def _holds(format_name: str, stream: Stream) -> bool:
    """Whether a file of this format can hold a stream: libav says it for certain when it writes the header only."""
    if stream.type == "attachment":
        # Files that travel with a film, such as fonts, exist in Matroska alone.
        return format_name == "matroska"
    if stream.type not in ("audio", "subtitle"):
        return False
    try:
        with av.open(io.BytesIO(), "w", format=format_name) as trial:
            picture = trial.add_stream("ffv1" if format_name == "matroska" else "mpeg4", rate=25)
            picture.height, picture.width, picture.pix_fmt = 16, 16, "yuv420p"
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


def _refuse_silence(source: InputContainer, kept: dict[int, Stream], path: Path, output: Path) -> None:
    heard = source.streams.audio
    if not heard or any(stream.index in kept for stream in heard):
        return
    codecs = ", ".join(sorted({stream.name or "of unknown coding" for stream in heard}))
    fitting = [suffix for name, suffix in _CONTAINERS.items() if any(_holds(name, stream) for stream in heard)]
    way = f"write {' or '.join(fitting)}, or leave it out" if fitting else "leave it out"
    raise InputError(f"the sound of {path} cannot be kept in {output} ({codecs}); {way} with --no-sound")


def _title(stream: Stream) -> str:
    said = [stream.name or "of unknown coding", stream.metadata.get("language", ""), stream.metadata.get("title", "")]
    return f"{stream.index} ({', '.join(part for part in said if part)})"


def _describe(target: Stream, source: Stream) -> None:
    """Give a stream the language, title and disposition (default, forced, for the deaf) of another one."""
    target.metadata.update({key: value for key, value in source.metadata.items() if _is_kept(key)})
    target.disposition = source.disposition


def _copy_titles(container: OutputContainer, source: InputContainer, origin: Fraction) -> None:
    container.metadata.update({key: value for key, value in source.metadata.items() if _is_kept(key)})
    chapters = source.chapters()
    for chapter in chapters:
        offset = round(origin / (chapter["time_base"] or Fraction(1)))
        chapter["start"], chapter["end"] = chapter["start"] - offset, chapter["end"] - offset
    container.set_chapters(chapters)


def _is_kept(key: str) -> bool:
    lowered = key.lower()
    return not (lowered in _OWN_METADATA or lowered.startswith((_VIBENCH, "_statistics", "number_of_", "bps")))
