"""From a file to a plan whose every step was asked of the verb that will take it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from lab.errors import CapacityError, InputError, LabError, LxdError
from lab.gpu_selection import GpuSelection
from lab.lxd.port import Lxd
from lab.names import did_you_mean, quote
from lab.report import Report, Silent
from lab.settings.settings import Settings
from lab.yaml.problems import Problem, shown
from provision.create.drift import DriftError
from provision.create.facts import read as read_for_making
from provision.create.plan import plan as plan_making
from provision.create.provision import provision
from provision.create.request import Request
from provision.lab_file import facts as facts_of_file
from provision.lab_file.cards import refused
from provision.lab_file.facts import Facts
from provision.lab_file.plan import Choice, Ground, decide, decide_absent
from provision.lab_file.steps import (
    Entry,
    GiveGpus,
    Kind,
    Make,
    Remove,
    Replace,
    Resize,
    Share,
    Step,
    Unshare,
)
from provision.lab_file.texts import texts_of
from provision.lab_file.wanted import Wanted
from provision.lifecycle import look as look_at_removal
from provision.releases import find_offer
from provision.resize.resize import resize
from provision.shares.share import share, unshare

AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """By name: first those of the file, then the others."""

    entries: tuple[Entry, ...]
    drifted: tuple[str, ...] = ()
    """Templates whose release has to be built for the host's driver first."""

    @property
    def is_changed(self) -> bool:
        return any(entry.is_changed for entry in self.entries)

    @property
    def is_empty(self) -> bool:
        """Not even a note is written."""
        return not any(entry.steps for entry in self.entries)

    def of(self, kind: Kind) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.kind is kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    entry: Entry
    error: LabError


def look(
    lxd: Lxd,
    settings: Settings,
    every: Sequence[Wanted],
    choice: Choice,
    report: Report,
    *,
    problems: Sequence[Problem] = (),
) -> Plan:
    """Changes nothing. A LabError with all that is in the way, each at its line of the file.

    PROBLEMS: what was found before, such as keys that cannot be read.
    """
    facts = facts_of_file.read(lxd, settings, [one.name for one in every])
    _refuse_unknown(every, facts, choice)
    entries = tuple(_decided(every, facts, choice))
    bad = [(entry, InputError(text)) for entry in entries for text in entry.problems]
    refusals = [_Refusal(entry=entry, error=error) for entry, error in bad]
    cards = _cards(entries, facts)
    refusals += cards
    whole = [entry for entry in entries if not entry.problems]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        short = {one.entry.name for one in cards}
        asked = pool.map(lambda entry: _ask(lxd, settings, entry, short, report), whole)
        found = [error for errors in asked for error in errors]
    refusals += [one for one in found if not isinstance(one.error, DriftError)]
    if refusals or problems:
        raise _all_of(refusals, problems)
    drifted = {one.error.template for one in found if isinstance(one.error, DriftError)}
    return Plan(entries=entries, drifted=tuple(sorted(drifted)))


def _decided(every: Sequence[Wanted], facts: Facts, choice: Choice) -> Iterator[Entry]:
    ground = Ground(today=facts.today, gpus=facts.gpus)
    for one in every:
        if choice.is_about(one.name):
            offer = find_offer(facts.offers, one.template)
            said = texts_of(one, offer.release.template if offer else one.template)
            yield decide(one, facts.present(one.name), said, choice, ground)
    mine = {one.name for one in every}
    for name in facts.containers:
        if name not in mine and choice.is_about(name):
            yield decide_absent(facts.present(name), choice)


def _refuse_unknown(every: Sequence[Wanted], facts: Facts, choice: Choice) -> None:
    """InputError for options that name nothing, and for a file that would remove everybody."""
    mine = {one.name for one in every}
    for option, names, known in (
        ("only", choice.only, {*mine, *facts.containers}),
        ("replace", choice.replace, mine),
    ):
        for name in names:
            if name not in known:
                raise InputError(
                    f"--{option} {name}: the file has no container "
                    f"{quote(name)}{did_you_mean(name, known)}.",
                    fix="List the containers: invoke list",
                )
    if choice.prune and not mine and facts.containers:
        raise InputError(
            "The file has no container at all, and --prune would remove each one that is there.",
            details=f"LXD has {len(facts.containers)}: {', '.join(facts.containers)}",
            fix="Write what is there into a file: invoke export-lab FILE",
        )


def _cards(entries: Sequence[Entry], facts: Facts) -> list[_Refusal]:
    """All wishes for GPUs together: the one by one would each see the others' as free."""
    wishes: dict[str, GpuSelection] = {}
    for entry in entries:
        for step in entry.steps:
            match step:
                case GiveGpus(wish=wish):
                    wishes[entry.name] = wish
                case Make(request=request) | Replace(request=request):
                    wishes[entry.name] = request.gpus or GpuSelection(count=facts.usual_gpus)
                case _:
                    pass
    leaving = [entry.name for entry in entries if entry.kind is Kind.REMOVE]
    errors = refused(wishes, leaving, facts.gpus, facts.users, facts.policy)
    there = {entry.name: entry for entry in entries}
    return [_Refusal(entry=there[name], error=error) for name, error in errors.items()]


def _ask(
    lxd: Lxd, settings: Settings, entry: Entry, short: set[str], report: Report
) -> list[_Refusal]:
    """What the verbs say to the steps of ENTRY. SHORT: those whose GPUs were refused."""
    errors = [_refusal_of(lxd, settings, entry, step, report) for step in entry.steps]
    steps = zip(entry.steps, errors, strict=True)
    return [
        _Refusal(entry=entry, error=error)
        for step, error in steps
        if error is not None
        # Of GPUs that others give back first: these were counted for all of them.
        and not (
            isinstance(error, CapacityError)
            and (entry.name in short or _fits_without_gpus(lxd, settings, step))
        )
    ]


def _refusal_of(
    lxd: Lxd, settings: Settings, entry: Entry, step: Step, report: Report
) -> LabError | None:
    try:
        _ask_one(lxd, settings, entry, step, report)
    except LabError as error:
        return error
    return None


def _ask_one(lxd: Lxd, settings: Settings, entry: Entry, step: Step, report: Report) -> None:
    name = entry.name
    match step:
        case Make(request=request):
            provision(lxd, settings, request, report, only_plan=True)
        case Replace(request=request):
            _as_if_removed(lxd, settings, request)
            if request.shares:
                share(lxd, settings, name, request.shares, report, only_plan=True)
        case Resize(sizes=sizes):
            resize(lxd, settings, name, sizes, report, only_plan=True)
        case Share(names=names):
            share(lxd, settings, name, names, report, only_plan=True)
        case Unshare(names=names):
            unshare(lxd, settings, name, names, report, only_plan=True)
        case Remove():
            look_at_removal(lxd, name, purge=False)
        case _:
            pass


def _as_if_removed(lxd: Lxd, settings: Settings, request: Request) -> None:
    look_at_removal(lxd, request.name, purge=False)
    facts = read_for_making(lxd, settings, request)
    plan_making(request, replace(facts, instance=None))


def _fits_without_gpus(lxd: Lxd, settings: Settings, step: Step) -> bool:
    if not isinstance(step, Make | Replace):
        return False
    request = replace(step.request, gpus=GpuSelection())
    try:
        if isinstance(step, Make):
            provision(lxd, settings, request, Silent(), only_plan=True)
        else:
            _as_if_removed(lxd, settings, request)
    except LabError:
        return False
    return True


def _all_of(refusals: Sequence[_Refusal], problems: Sequence[Problem]) -> LabError:
    errors = [one.error for one in refusals]
    kind: type[LabError] = LxdError
    if problems or any(isinstance(error, InputError) for error in errors):
        kind = InputError
    elif all(isinstance(error, CapacityError) for error in errors):
        kind = CapacityError
    wanted = (one.entry.wanted.path for one in refusals if one.entry.wanted)
    path = next(iter((*(one.path for one in problems), *wanted)), None)
    lines = [*map(str, problems), *map(_line, refusals)]
    return kind(
        f"{shown(path) if path else 'The file'} cannot be applied; nothing was changed.",
        details="\n".join(sorted(lines, key=_number)),
        fix="Correct what each line says, then run the command again.",
    )


def _line(one: _Refusal) -> str:
    error = one.error
    details = "; ".join(filter(None, (error.details or "").splitlines()))
    sentence = f"{details.rstrip('.')}." if details else ""
    fix = " ".join((error.fix or "").split())
    text = " ".join(filter(None, (error.brief, sentence, fix)))
    wanted = one.entry.wanted
    if wanted is None:
        return f"{one.entry.name}: {text}"
    return str(Problem(path=wanted.path, line=wanted.line, text=f"{one.entry.name}: {text}"))


def _number(line: str) -> tuple[int, str]:
    number = line.split(":", 2)[1]
    return (int(number), line) if number.isdecimal() else (0, line)
