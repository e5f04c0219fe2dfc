"""The time that is left, as it is told, against the time that a simulated method then takes."""

from __future__ import annotations

import pytest

from vibench.cli.progress import Pace


def bursts(count: int, each: int, seconds: float) -> list[float]:
    """The seconds at which frames come that are filled ``each`` at a time, and given out 100 a second."""
    return [seconds * (1 + number // each) + number % each / 100 for number in range(count)]


STREAMS = {
    "one by one": [0.5 * (1 + number) for number in range(200)],
    "one by one, after loading for 8 s": [8 + 0.5 * number for number in range(200)],
    "in bursts": bursts(240, 40, 30),
    "in bursts, loading first": [6 + second for second in bursts(240, 40, 30)],
}


@pytest.mark.parametrize("kind", STREAMS)
def test_the_time_left_is_what_it_then_takes(kind: str) -> None:
    times = STREAMS[kind]
    now = 0.0
    pace = Pace(len(times), lambda: now)
    coming, errors = iter(enumerate(times)), []
    number, second = next(coming)
    while number < len(times) - 1:
        now = round(now + 0.25, 6)
        tick = now
        while second <= tick and number < len(times) - 1:
            now = second
            pace.advance()
            number, second = next(coming)
        now = tick
        left = pace.seconds_left()
        if now > times[-1] / 4:
            assert left is not None
            errors.append(abs(left - (times[-1] - now)) / times[-1])
    # Before the second burst ends, nobody knows which part of the first was loading.
    assert max(errors) < 0.2 and max(errors[len(errors) // 3 :]) < 0.03


def test_nothing_is_told_before_something_is_known() -> None:
    now = 0.0
    pace = Pace(100, lambda: now)
    assert pace.said() == ""
    for second in (30.0, 30.01, 30.02):  # a burst begins
        now = second
        pace.advance()
        assert pace.said() == ""
    now = 50.0
    assert pace.said() == "about 15 min 51 s left"  # 30.02 s for 3 frames, 97 more, less 19.98 s
    unknown = Pace(None, lambda: now)
    unknown.advance()
    assert (unknown.said(), unknown.done) == ("", 1)
