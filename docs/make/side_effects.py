"""Makes docs/images/side-effects.jpg: a scene of each side effect, what is behind it, and its regions.

``python docs/make/side_effects.py`` takes a quarter of a minute.
"""

from __future__ import annotations

import numpy as np
from pages import DOCS
from pictures import labelled

from vibench.clip import Clip, Frame
from vibench.data.stage import render_staged, staged_scenes
from vibench.report.film import strip

SHOWN = ("shadow-handheld", "reflection-zoom", "light-still", "mirror-zoom", "glass-pan")
FRAMES = (0, 15)
OBJECT, EFFECT = (255, 255, 255), (230, 40, 40)


def regions(clip: Clip, t: int) -> Frame:
    """The background of frame t, dark, with the object white and its effect red."""
    if clip.background is None or clip.objects is None or clip.effects is None:
        raise ValueError("a staged clip knows its background, object and effect")
    picture = clip.background[t] // 2
    picture[clip.objects[t]] = OBJECT
    picture[clip.effects[t]] = EFFECT
    return picture


def main() -> None:
    """Write the picture."""
    scenes, rows = staged_scenes(120, 216, FRAMES[-1] + 1), []
    for name in SHOWN:
        clip = render_staged(scenes[name])
        if clip.background is None:
            raise ValueError("a staged clip knows its background")
        shown = [clip.frames[t] for t in FRAMES]
        rows.append((name, strip(np.stack([*shown, clip.background[FRAMES[-1]], regions(clip, FRAMES[-1])]))))
    labelled(rows).save(DOCS / "images" / "side-effects.jpg", quality=88)


if __name__ == "__main__":
    main()
