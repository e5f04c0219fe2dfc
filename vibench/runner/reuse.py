"""Nothing is made twice: what another run has made by the same method of the same data is taken over from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from vibench.data.contents import Contents, known_contents
from vibench.errors import UserError
from vibench.machine.facts import differing_facts
from vibench.protocol import PlannedCase
from vibench.results.record import TRUTH, Record, RunInfo
from vibench.results.store import Store
from vibench.runner.bench import Workbench


def take_over(bench: Workbench, store: Store, planned: Sequence[PlannedCase], say: Callable[[str], None]) -> None:
    """Let ``store`` have every record that it lacks and that another run in the same folder holds already.

    A record is taken over where the method (its options, code and weights), the protocol, the device, the machine, the
    versions of the packages whose arithmetic is in it, and the case's input, truth and holes are all the same. Failures
    are not: whoever runs again wants them tried. Values of metrics are measured again where another code made them, as
    always. In a debugger's run (``in_process``) nothing is taken over. ``say`` is told what came from where.
    """
    if bench.order.in_process:
        return
    siblings = [(sibling, _shared(sibling.info, store.info)) for sibling in _siblings(store)]
    taken: Counter[str] = Counter()
    for case in planned if siblings else ():
        missing = [label for label in bench.rows if not store.has_record(label, case.name)]
        candidates = [
            (sibling, record)
            for label in missing
            for sibling, shared in siblings
            if label in shared
            and isinstance(record := sibling.record(label, case.name), Record)
            and _will_do(bench, sibling, record)
        ]
        contents = _contents(bench, case) if candidates else None
        if contents is None:
            continue
        for sibling, record in candidates:
            if record.method in missing and all(getattr(record, what) == sha for what, sha in contents.items()):
                store.adopt(sibling, record)
                missing.remove(record.method)
                taken[sibling.folder.name] += record.method != TRUTH
    for folder, count in taken.items():
        if count:
            say(f"{count} records of the same methods on the same data are taken over from {folder}")


def _siblings(store: Store) -> list[Store]:
    """The other runs of the same protocol in the same folder, on this machine and device, the newest first."""
    found = []
    for page in store.folder.parent.glob("*/run.json"):
        if page.parent == store.folder:
            continue
        try:
            sibling = Store.open(page.parent)
        except UserError:
            continue  # whoever opens that run is told what is wrong with it
        ours, theirs = store.info, sibling.info
        is_alike = (theirs.protocol_digest, theirs.device) == (ours.protocol_digest, ours.device)
        if is_alike and not differing_facts([theirs.machine, ours.machine]):
            found.append(sibling)
    return sorted(found, key=lambda sibling: sibling.info.started, reverse=True)


def _shared(theirs: RunInfo, ours: RunInfo) -> frozenset[str]:
    """The rows that mean the same in both runs: methods of equal identity, and the truth."""
    known = {facts.identity for facts in theirs.methods}
    return frozenset({TRUTH, *(facts.label for facts in ours.methods if facts.identity in known)})


def _will_do(bench: Workbench, sibling: Store, record: Record) -> bool:
    """Whether a record is as good as one that this order would make."""
    order, timing = bench.order, record.timing
    if record.status == "failed" or not record.input_sha256 or record.versions != bench.versions:
        return False
    if record.method == TRUTH:
        return True
    if timing is not None and timing.jobs > order.jobs:
        return False  # its times are those of a busier machine than was asked for
    limit = order.time_limit_seconds
    if limit is not None and (timing is None or timing.seconds + timing.warm_up_seconds > limit):
        return False
    has_frames = sibling.has_frames(record.method, record.case)
    return has_frames or not (order.keep_frames or bench.scorer.lacking(record))


def _contents(bench: Workbench, case: PlannedCase) -> Contents | None:
    """The contents of a case as its data gives them now; None where it cannot be made."""
    try:
        return known_contents(bench.order.protocol, case, bench.clips)
    except UserError:
        return None
