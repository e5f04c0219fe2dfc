"""Carries out an order: plans it, makes what is missing here or in worker processes, continues after anything."""

from __future__ import annotations

import hashlib
import json
import os
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vibench import plugins
from vibench.data.cases import check_generators, planned_cases
from vibench.data.contents import known_contents, what_changed
from vibench.data.layouts import open_clips
from vibench.errors import Gathered, InputError, MissingResource, UserError
from vibench.files.mirror import shown_place
from vibench.machine.facts import commit, deciding_versions, machine_facts, package_versions
from vibench.machine.host import Host
from vibench.machine.processes import worker_pool
from vibench.plugins import Spec
from vibench.protocol import PlannedCase, Protocol, load_protocol
from vibench.results.damage import LaterVersion
from vibench.results.record import TRUTH, MethodFacts, Record, RunInfo
from vibench.results.records import Records
from vibench.results.run import Run
from vibench.results.store import Store
from vibench.results.unpack import is_named_as_pack
from vibench.runner.bench import Filling, Made, Workbench, untold
from vibench.runner.engine import Slurm, engine_named
from vibench.runner.forecast import forecasts
from vibench.runner.on_ray import made_on_ray
from vibench.runner.on_slurm import run_in_shards
from vibench.runner.order import Order, Task, repeats_named
from vibench.runner.programs.factory import named_method
from vibench.runner.reuse import take_over
from vibench.runner.shard import Shard, check_same_data, clip_bytes, part_of, shard_named

Factories = dict[tuple[plugins.Kind, str], Callable[..., Any]]
"""Methods and metrics that were given as Python objects, by (kind, name)."""


Named = str | Iterable[str | Callable[..., Any]]
"""Methods or metrics by name, or as Python objects."""


class Listener(typing.Protocol):
    """Told how a run goes; the command line draws a progress bar from it."""

    def started(self, total: int, remaining: int) -> None:
        """``total`` records belong to the run, ``remaining`` of them are still to be made."""
        ...

    def filling(self, method: str, case: str, done: int, total: int) -> None:
        """``method`` works on ``case`` and has filled ``done`` of ``total`` frames, as far as it tells."""
        ...

    def finished(self, record: Record) -> None:
        """One record was made."""
        ...

    def say(self, sentence: str) -> None:
        """Something a person should know."""
        ...


class Quiet:
    """A listener that passes everything over."""

    def started(self, total: int, remaining: int) -> None:
        """Do nothing."""

    def filling(self, method: str, case: str, done: int, total: int) -> None:
        """Do nothing."""

    def finished(self, record: Record) -> None:
        """Do nothing."""

    def say(self, sentence: str) -> None:
        """Do nothing."""


def run(
    protocol: str | Path | Protocol,
    methods: Named,
    *,
    output: str | Path = "results",
    metrics: Named = (),
    data: str | Path | None = None,
    masks: str | Path | None = None,
    device: str = "auto",
    limit: int | None = None,
    cases: str | Iterable[str] = (),
    seeds: str | Iterable[int] = (),
    jobs: int = 1,
    predict_only: bool = False,
    keep_frames: bool = True,
    retry_failed: bool = False,
    time_limit_seconds: float | None = None,
    in_process: bool = False,
    python: str = "",
    name: str = "",
    shard: str = "",
    on: str = "",
    listener: Listener | None = None,
    command: str = "",
) -> Run:
    """Fill the holes of every case with every method, time it, score it, and write one record each.

    The same call continues where an earlier one stopped, and what is there already is not made again. A call with other
    methods, another protocol or other cases goes into a folder of its own; what another run in ``output`` has made by
    the same method of the same data is taken over from there, so that only what is new is made.

    Args:
        protocol: ``"davis-stationary"``, ``"davis-stationary@1"``, a .toml file, or a ``Protocol``; or data of your
            own, ``"folder:PATH"`` or ``"pairs:PATH"``, from which the objects that masks mark are removed.
        methods: as ``--methods`` takes them, ``"vinet[memory=false],telea"`` or a list of such names, method files of
            programs (``"./propainter.toml"``) among them, or factories: classes or functions of your own that make a
            method when they are called without arguments.
        output: folder that holds runs; a URL such as ``s3://bucket/runs`` where ``vibench[remote]`` is installed.
        metrics: names, or factories of metrics; the protocol's own when left out.
        data: folder of the protocol's data set, or its URL, where it is not bundled.
        masks: folder of masks of your own, by the clips' names, in the place of the silhouettes of the data set.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        limit: only the first so many cases.
        cases: only cases whose name holds one of these texts.
        seeds: only these of the protocol's seeded repeats, from 0.
        jobs: cases side by side; times are then those of a busy machine. Factories must then be importable.
        predict_only: fill and keep frames; ``vibench.score`` measures later.
        keep_frames: keep output frames, losslessly, for scoring and reports.
        retry_failed: try failed cases once more.
        time_limit_seconds: longest time that a method may take for a case.
        in_process: let methods work in this process instead of one each, for a debugger; nothing is then taken over
            from other runs.
        python: the interpreter of those methods that are named as ``module:factory``; this one when left out.
        name: name of the run's folder; made of the protocol and a digest when left out.
        shard: ``"I/N"`` makes part I of N of the cases, I from 0, and ``"auto"`` the part of this task of a Slurm job
            array; ``vibench.merge`` puts the parts together.
        on: where the work is done: ``"slurm[shards=32,gpus=1]"`` sends shards as a job array, waits and merges them;
            ``"ray[address=auto]"`` sends each case to a Ray cluster. See ``vibench.runner.engine`` for their options.
        listener: told how the run goes.
        command: how the run was started, for its page; this call when left out.

    Raises:
        InputError: where something cannot be used as it was given.
        UserError: where the disk is full, or weights are missing.
    """
    asked_for = {name: value for name, value in locals().items() if name not in ("on", "output", "listener")}
    engine = engine_named(on) if on else None
    if isinstance(engine, Slurm):
        return run_in_shards(run, engine, asked_for, Path(output), (listener or Quiet()).say)
    from vibench.machine.device import check_name, resolve

    gathered = Gathered()
    factories: Factories = {}
    specs = _specs("methods", methods, factories, gathered, python, in_process)
    measures = _specs("metrics", metrics, factories, gathered)
    texts = tuple(plugins.split_outside_brackets(cases) if isinstance(cases, str) else cases)
    if not specs and not gathered.errors:
        gathered.errors.append(InputError("--methods names no method; see `vibench list methods`"))
    with gathered.fault():
        check_name(device)
    with gathered.fault():
        if predict_only and not keep_frames:
            raise InputError("--predict-only with --no-keep-frames would keep nothing; drop one of them")
    place = None if data is None else Path(data)
    with gathered.fault():
        chosen = (protocol if isinstance(protocol, Protocol) else load_protocol(str(protocol))).with_masks(masks)
        repeats = repeats_named(seeds if isinstance(seeds, str) else ",".join(map(str, seeds)), chosen)
        check_generators(chosen)
        planned_cases(chosen, open_clips(chosen, place).clip_names(), cases=texts, seeds=repeats, limit=limit)
    gathered.tell()
    asked = tuple(spec.label for spec in measures)
    order = Order(
        protocol=chosen,
        methods=specs,
        metrics=asked or chosen.scoring.metrics,
        output=Path(output),
        data=place,
        device=resolve(device),
        limit=limit,
        cases=texts,
        seeds=repeats,
        jobs=jobs,
        predict_only=predict_only,
        keep_frames=keep_frames,
        retry_failed=retry_failed,
        time_limit_seconds=time_limit_seconds,
        in_process=in_process,
        name=name,
        factories=factories,
        command=command or _as_call(chosen.label, [spec.label for spec in specs], str(output)),
        shard=shard_named(shard) if shard else None,
        ray=engine,
    )
    return Run(carry_out(order, listener or Quiet()))


def score(
    run: str | Path | Run,
    metrics: Named = (),
    *,
    data: str | Path | None = None,
    device: str = "auto",
    shard: str = "",
    listener: Listener | None = None,
) -> Run:
    """Measure the kept frames of a run again, without its methods: after ``predict_only``, or with further metrics.

    Measured are those of ``metrics`` (left out: the protocol's own) that a record has no value of, or one that other
    code measured; all other values stay. ``data`` is the folder of the data set, where it is no longer where the run
    found it. ``shard`` is as in ``run``. Raises InputError where the data is not what the methods filled.
    """
    from vibench.machine.device import resolve

    factories: Factories = {}
    gathered = Gathered()
    measures = _specs("metrics", metrics, factories, gathered)
    with gathered.fault():
        Store.open(run.folder if isinstance(run, Run) else Path(run))
    gathered.tell()
    asked = tuple(spec.label for spec in measures)
    folder = run.folder if isinstance(run, Run) else Path(run)
    place = None if data is None else Path(data)
    part = shard_named(shard) if shard else None
    return Run(rescore(folder, asked, place, resolve(device), listener or Quiet(), factories, part))


def _specs(
    kind: plugins.Kind,
    named: Named,
    factories: Factories,
    gathered: Gathered,
    python: str = "",
    in_process: bool = False,
) -> tuple[Spec, ...]:
    """Names with options as they are; an object goes into ``factories`` under a name: its own.

    What is wrong with one is gathered, and it is left out.
    """
    specs = []
    for one in plugins.split_outside_brackets(named) if isinstance(named, str) else named:
        with gathered.fault():
            specs.append(_spec(kind, one, factories, python, in_process))
    return tuple(specs)


def _spec(
    kind: plugins.Kind, one: str | Callable[..., Any], factories: Factories, python: str, in_process: bool
) -> Spec:
    if isinstance(one, str):
        spec = Spec.parse(one)
        spec = _named(spec, factories, python, in_process) if kind == "methods" else spec
        if (kind, spec.name) not in factories:
            # A method is foreign code, which runs in its child alone. What is not on this machine is told where it is
            # needed: a metric is then left out, and says so.
            outline = plugins.outlined_unrun if kind == "methods" and not in_process else plugins.outlined
            with suppress(MissingResource):
                if (build := outline(kind, spec.name)) is not None:
                    plugins.option_values(build, spec)
        return spec
    name = getattr(one, "__qualname__", "")
    if not callable(one) or not name or "<" in name:
        raise InputError(f"{one!r} is no name, and no class or function that makes one of the {kind}")
    if factories.setdefault((kind, name), one) is not one:
        raise InputError(f"two of the {kind} are called {name!r}; give them different names")
    return Spec(name)


def _named(spec: Spec, factories: Factories, python: str, in_process: bool) -> Spec:
    """A method's name; what it means goes into ``factories`` where it is a method file, or is for another Python."""
    found = named_method(spec, python, in_process=in_process)
    if found is None:
        return spec
    if factories.setdefault(("methods", found.spec.name), found.factory) != found.factory:
        raise InputError(f"two methods are called {found.spec.name!r}; name one otherwise: FILE.toml[name=...]")
    return found.spec


def _as_call(protocol: str, methods: Sequence[str], output: str) -> str:
    return f"vibench.run({protocol!r}, {list(methods)!r}, output={output!r})  # in Python"


def carry_out(order: Order, listener: Listener) -> Store:
    """Make every record of ``order`` that does not exist yet, and return the run's store."""
    with closing(Workbench.build(order)) as bench:
        planned = planned_cases(
            order.protocol, bench.clips.clip_names(), cases=order.cases, seeds=order.seeds, limit=order.limit
        )
        info = run_info(order, bench, planned)
        bench.run_digest = info.digest
        store = Store.create(order.output, info, order.name)
        check_same_data(store, info)
        mine = part_of(order.shard, planned)
        with store.lock(listener.say, "" if order.shard is None else order.shard.name):
            take_over(bench, store, mine, listener.say)
            tasks = _unfinished(bench, store, mine, listener)
            listener.started(len(mine) * len(bench.rows), sum(task.count for task in tasks))
            _foretell(bench, tasks, listener)
            _make(bench, store, tasks, listener)
            # Written last, so that the page names no metric before it is measured.
            return store.with_metrics(bench.scorer.facts())


def rescore(
    folder: Path,
    metrics: tuple[str, ...],
    data: Path | None,
    device: str,
    listener: Listener,
    factories: Factories | None = None,
    shard: Shard | None = None,
) -> Store:
    """Measure kept frames of the run in ``folder`` again, without the methods that made them.

    Measured are those of ``metrics`` (empty: the protocol's own) that a record holds no value of, or one that other
    code measured; what else it holds stays. Cases are made again from the data, and one whose input, truth or holes are
    not those of the record is refused with an InputError, since its number would not belong to these frames. Where a
    metric needs the row of the truth and the run has none, it is made.
    """
    if is_named_as_pack(folder):
        name = shown_place(folder)
        raise InputError(f"{name!r} is a pack; `vibench merge {name} --output FOLDER` makes a run of it")
    store = Store.open(folder)
    protocol = store.protocol
    source = data or (Path(store.info.data) if store.info.data else None)
    asked = metrics or protocol.scoring.metrics
    order = Order(protocol, (), asked, folder.parent, source, device, keep_frames=False, factories=factories or {})
    bench = Workbench.build(order, store.info.digest)
    with store.lock(listener.say, "" if shard is None else shard.name):
        tasks = _unmeasured(bench, store, part_of(shard, list(protocol.plan(bench.clips.clip_names()))))
        listener.started(len(store.records()), sum(task.count for task in tasks))
        _foretell(bench, tasks, listener)
        _make(bench, store, tasks, listener)
        return store.with_metrics(bench.scorer.facts())


def _foretell(bench: Workbench, tasks: Sequence[Task], listener: Listener) -> None:
    for sentence in forecasts(bench, tasks):
        listener.say(sentence)


def _unfinished(bench: Workbench, store: Store, planned: list[PlannedCase], listener: Listener) -> list[Task]:
    """The cases without a record, and the records that lack a value, for which frames may have been kept."""
    order, tasks = bench.order, []
    known = _known(store, {case.name for case in planned}, listener)
    # What is not on the page could not be made when the run was begun: what it lacked then may be there now.
    on_page = {facts.name for facts in store.info.metrics}
    for case in planned:
        fill: list[str] = []
        score: list[Record] = []
        kept = {record.method: record for row in bench.rows if (record := known.find(row, case.name))}
        changed = _changed(bench, case, list(kept.values()), listener)
        for label in bench.rows:
            record = kept.get(label)
            if record is None or changed or (record.status == "failed" and order.retry_failed):
                fill.append(label)
            elif record.status != "failed" and not order.predict_only and bench.scorer.lacking(record, on_page):
                if _can_score(store, record):
                    score.append(record)
                else:
                    fill.append(label)
        if fill or score:
            tasks.append(Task(case, tuple(fill), tuple(score)))
    failed = known.texts["status"].counts().get("failed", 0)
    if failed and not order.retry_failed:
        listener.say(f"{failed} cases failed before and are not tried again; --retry-failed does that")
    return tasks


def _changed(bench: Workbench, case: PlannedCase, records: Sequence[Record], listener: Listener) -> bool:
    """Whether the data is not what these records were made of; says in what it differs."""
    if not any(record.input_sha256 for record in records):
        return False
    try:
        contents = known_contents(bench.order.protocol, case, bench.clips)
    except UserError as error:
        listener.say(f"{case.name} cannot be made again, so its records stay as they are: {error}")
        return False
    for record in records:
        if what := what_changed(record, contents):
            listener.say(f"{case.name}: the {what} changed since {record.method} was run; making it again")
            return True
    return False


def _can_score(store: Store, record: Record) -> bool:
    return record.method == TRUTH or store.has_frames(record.method, record.case)


def _known(store: Store, cases: Collection[str], listener: Listener) -> Records:
    """The sound records of ``cases``; tells of other files, and where versions have changed.

    InputError where a later version of vibench has been at work: what it wrote must not be replaced.
    """
    records, problems = store.scan()
    records = records.of_cases(cases)
    for problem in problems:
        if isinstance(problem, LaterVersion):
            raise InputError(problem.sentence)
        listener.say(f"{problem.sentence}; making it again")
    now = deciding_versions()
    others = {f"{name} {version}" for text in records.texts["versions"].counts()
              for name, version in json.loads(text).items() if now.get(name) != version}  # fmt: skip
    if others:
        here = ", ".join(f"{name} {version}" for name, version in now.items())
        listener.say(
            f"earlier records of this run were made under {', '.join(sorted(others))}, and those to come are under "
            f"{here}; every record says under which, and tables say that they differ"
        )
    return records


def _unmeasured(bench: Workbench, store: Store, planned: list[PlannedCase]) -> list[Task]:
    """Every record that lacks a value that is asked for, and the rows of the truth that are missing."""
    tasks = []
    by_case: dict[str, list[Record]] = {}
    for record in store.records():
        by_case.setdefault(record.case, []).append(record)
    for case in planned:
        records = by_case.get(case.name, [])
        score = [
            record
            for record in records
            if record.status != "failed" and (record.status == "predicted" or bench.scorer.lacking(record))
        ]
        made = {record.method for record in records}
        fill = tuple(row for row in bench.rows if row not in made) if records else ()
        if fill or score:
            tasks.append(Task(case, fill, tuple(score)))
    return tasks


def _make(bench: Workbench, store: Store, tasks: list[Task], listener: Listener) -> None:
    """Carry out the tasks, here or side by side, and tell of each record."""
    done: Iterator[tuple[Record, str]]
    if bench.order.ray is not None:
        bench.close()  # the cluster's workers have processes of their own
        found = made_on_ray(bench.order.ray, bench.order, bench.run_digest, tasks, store.frames_of)
        done = (_put_away(store, made) for made in found)
    elif bench.order.jobs <= 1 or len(tasks) <= 1:
        done = (made for task in tasks for made in _kept(bench, store, task, listener.filling))
    else:
        bench.close()  # the workers have processes of their own
        done = _side_by_side(bench, store, tasks)
    for record, said in done:
        if said:
            listener.say(said)
        listener.finished(record)


def _kept(bench: Workbench, store: Store, task: Task, filling: Filling = untold) -> Iterator[tuple[Record, str]]:
    """Do one task and keep what comes of it."""
    for made in bench.work(task, store.frames_of, filling):
        yield _put_away(store, made)


def _put_away(store: Store, made: Made) -> tuple[Record, str]:
    """Keep what came of a method on a case: the only place where anything enters a run's store."""
    if not made.said:
        store.keep(made.record, made.frames, made.traceback, case=made.case)
    return made.record, made.said


def _side_by_side(bench: Workbench, store: Store, tasks: list[Task]) -> Iterator[tuple[Record, str]]:
    jobs = bench.order.jobs
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with worker_pool(jobs, threads, _settle_worker, bench.order, store.folder) as pool:
        for future in as_completed([pool.submit(_work_in_worker, task) for task in tasks]):
            yield from future.result()


_worker: tuple[Workbench, Store] | None = None


def _settle_worker(order: Order, folder: Path) -> None:
    global _worker
    store = Store.open(folder)
    _worker = Workbench.build(order, store.info.digest), store


def _work_in_worker(task: Task) -> list[tuple[Record, str]]:
    if _worker is None:
        raise ValueError("the worker process was not set up")
    return list(_kept(*_worker, task))


def run_info(order: Order, bench: Workbench, planned: list[PlannedCase]) -> RunInfo:
    """The page about a run.

    Its digest covers what decides frames and nothing else: values carry an identity of their own.
    """
    methods = tuple(method_facts(spec, bench.methods[spec.label]) for spec in order.methods)
    versions = package_versions()
    deciding = {
        "protocol": order.protocol.digest,
        "methods": sorted(list(facts.identity) for facts in methods),
        "cases": [case.name for case in planned],
        "device": order.device,
        "vibench": versions["vibench"],
    }
    return RunInfo(
        digest=hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest(),
        protocol=order.protocol.model_dump(mode="json"),
        protocol_label=order.protocol.label,
        protocol_digest=order.protocol.digest,
        methods=methods,
        metrics=bench.scorer.facts(),
        cases=tuple(case.name for case in planned),
        machine=machine_facts(),
        versions=versions,
        commit=commit(),
        data=None if order.data is None else shown_place(order.data),
        device=order.device,
        command=order.command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        clip_bytes=clip_bytes(planned, bench.clips) if order.shard is not None else {},
    )


def method_facts(spec: Spec, host: Host) -> MethodFacts:
    """What the run's page says of one method."""
    build = plugins.factory("methods", spec.name)
    values = plugins.option_values(build, spec)
    return MethodFacts(
        label=spec.label,
        factory=f"{build.__module__}:{build.__qualname__}",
        source_sha256=plugins.source_digest(build),
        options={key: str(value) if isinstance(value, Path) else value for key, value in values.items()},
        facts=dict(host.described),
    )
