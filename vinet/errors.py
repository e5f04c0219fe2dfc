"""The errors of VINet that a user can fix.

::

    VINetError             one sentence, printed without a traceback
    └── MissingWeights     no weights of that kind come with this package

A broken contract between our own parts is a plain `ValueError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class VINetError(Exception):
    """A file or an option that cannot be used as given; says what was given and what would be right."""


class MissingWeights(VINetError):
    """Weights that do not come with this package: the user has to name a file."""


@contextmanager
def translated(error: type[Exception], missing: type[Exception]) -> Iterator[None]:
    """Turn a `VINetError` of the block into an `error` of another program, and a `MissingWeights` into a `missing`."""
    try:
        yield
    except MissingWeights as reason:
        raise missing(str(reason)) from reason
    except VINetError as reason:
        raise error(str(reason)) from reason
