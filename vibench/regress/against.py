"""What `--against` may say: the same code with other options, a git ref, a wheel; each method is paired with its opponent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from vibench.plugins import Spec
from vibench.regress.duel import Entrant
from vibench.regress.version import here, other_version

_SAME = re.compile(r"^same(\[.*\])?$", re.DOTALL)


@contextmanager
def entrants(methods: Sequence[Spec], against: str) -> Iterator[list[tuple[Entrant, Entrant]]]:
    """(old, new) of every method; the old version's files live as long as the block."""
    new = here()
    if _SAME.match(against):
        options = Spec.parse(against).options
        code = replace(new, owns_methods=False)
        yield [(Entrant(code, Spec(spec.name, {**spec.options, **options})), Entrant(code, spec)) for spec in methods]
        return
    with other_version(against) as old:
        yield [(Entrant(old, spec), Entrant(new, spec)) for spec in methods]
