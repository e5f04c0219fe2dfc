"""Damage for a file: what disks, downloads, editors and people with a grudge do to bytes. Every seed gives the same."""

from __future__ import annotations

import random
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

TOKENS = (
    b"NaN", b"Infinity", b"1e999", b"-1", b"99999999999999999999", b"null", b'"\\ud800"', b'"\\u001b[31m\\n"',
    b"[" * 5000, b'{"a":' * 3000, b"[]", b"{}", b"true", b'""', b"inf", b"nan", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00",
    b"0.5", b"1_000",
)  # fmt: skip
"""What stands in the place of a value in damaged JSON or TOML."""


def bit_flips(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flips_in_the_head(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        damaged[chance.randrange(min(128, len(damaged)))] = chance.randrange(256)
    return bytes(damaged)


def truncation(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.choice((0, 1, 4, 16, chance.randrange(len(content)), len(content) - 1))]


def zero_run(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    length = min(chance.choice((1, 8, 64, 512, 4096)), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def another_head(content: bytes, chance: random.Random) -> bytes:
    heads = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x1a\x45\xdf\xa3",
             b"\x80\x02}", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"II*\x00", b"\x1f\x8b\x08\x00", b"#EXTM3U\n",
             b"PIEH\xff\xff\xff\x7f\xff\xff\xff\x7f", b"\xff\xff\xff\xff\xff\xff\xff\x7f{")  # fmt: skip
    head = chance.choice(heads)
    return head + content[chance.choice((0, len(head))) :]


def random_bytes(content: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((1, 16, 200, min(len(content), 20_000))))


def doubled_piece(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    piece = content[start : start + chance.choice((1, 10, 200))]
    return content[:start] + piece * chance.choice((2, 3, 50)) + content[start:]


def lost_piece(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.choice((1, 10, 200)) :]


def huge_number(content: bytes, chance: random.Random) -> bytes:
    """A field of four or eight bytes in the head or tail that says that there is far more than there is."""
    place = chance.randrange(min(512, len(content)))
    place = chance.choice((place, max(0, len(content) - place)))
    field = chance.choice((b"\xff\xff\xff\x7f", b"\xff" * 8, b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f\xff\xff\xff\x7f"))
    return content[:place] + field + content[place + len(field) :]


def another_value(content: bytes, chance: random.Random) -> bytes:
    """Between two separators of a text stands something else."""
    places = [place for place, byte in enumerate(content) if byte in b':=,[]{}\n"']
    if len(places) < 2:
        return chance.choice(TOKENS)
    index = chance.randrange(len(places) - 1)
    end = places[min(len(places) - 1, index + chance.choice((1, 1, 2)))]
    return content[: places[index] + 1] + chance.choice(TOKENS) + content[end:]


BINARY: tuple[Mutation, ...] = (
    bit_flips, flips_in_the_head, truncation, zero_run, another_head, random_bytes, doubled_piece, lost_piece,
    huge_number,
)  # fmt: skip
TEXT: tuple[Mutation, ...] = (*BINARY, another_value, another_value, another_value)


def mutated(content: bytes, name: str, number: int, *, text: bool) -> tuple[str, bytes]:
    """Return what was done to ``content`` and the result, decided by the format's name and the number alone."""
    chance = random.Random(f"{name}/{number}")
    mutation = chance.choice(TEXT if text else BINARY)
    return mutation.__name__, mutation(content, chance)
