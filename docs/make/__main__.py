"""Makes the generated pages whose inputs are at hand, and says of the others what they need.

``python docs/make`` writes them; ``python docs/make --check`` says how the committed ones differ and exits with 1.
"""

from __future__ import annotations

import sys

import architecture
import calibration
import devices
import memory
import results
import scale
import schemas

NOT_MADE = """\
Not made here, since they need more than the repository holds, or minutes of time:
- docs/results.md, from finished runs on DAVIS: make docs-results RUNS="FOLDER FOLDER ..."
- the picture and table of bias in docs/removal.md, in a minute: python docs/make/bias.py
- files in reports/devices, from which docs/devices.md is made: make gpu, on each device
- the pictures of methods in docs/images, from the bundled clips, in a minute: make docs-pictures
- the picture of two videos and six numbers in docs/images: python docs/make/why.py
- the pictures of a report in docs/images, from finished runs: python docs/make/report_pictures.py RUN...
- the table of departures in docs/training.md, from half an hour of training: make docs-departures PHOTOS=FOLDER
- the errors behind the tables of memory in docs/training.md, from an hour of training: python docs/make/memory.py
- the table and the strips of docs/large.md, in some minutes: python docs/make/large.py
- the figures behind docs/scale.md, in a quarter of an hour: see docs/make/scale.py
- the tables of what measures see in docs/removal.md, in five minutes: python docs/make/sanity.py
- the picture of side effects in docs/data.md, in a quarter of a minute: python docs/make/side_effects.py
- the curves in docs/images, from a training's folder: vinet curve RUN -o docs/images/NAME.png"""


def make(check: bool) -> bool:
    """Make or compare every page; returns whether all were right already."""
    right = [
        architecture.make(check),
        results.make(check, []),
        calibration.make(check),
        devices.make(check),
        memory.make(check),
        schemas.make(check),
        scale.make(check),
    ]
    print(NOT_MADE)
    return all(right)


if __name__ == "__main__":
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit("usage: python docs/make [--check]")
    # Writing what differed is success; comparing is not.
    sys.exit(0 if make(check) or not check else 1)
