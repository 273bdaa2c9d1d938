"""From what the file asks for and what is there to what is done with each container. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from lab import labels
from lab.dates import read_date
from lab.gpu_selection import GpuSelection
from lab.lxd.model import Gpu
from provision.expiring import NEVER
from provision.expiry.renew import Renewal
from provision.lab_file.cards import is_held
from provision.lab_file.present import Present
from provision.lab_file.steps import (
    ChangeKeys,
    Difference,
    Entry,
    GiveGpus,
    Kind,
    Make,
    Note,
    Remove,
    Renew,
    Replace,
    Resize,
    Share,
    Step,
    Unshare,
    Why,
)
from provision.lab_file.texts import FIELDS, LIMITS, SIZES, Mark, Texts, split
from provision.lab_file.wanted import Wanted
from provision.limits import bytes_of
from provision.resize.sizes import Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the options say."""

    prune: bool = False
    only: tuple[str, ...] = ()
    """Empty: all containers."""
    replace: tuple[str, ...] = ()
    set_back: bool = False
    keep: bool = False

    def is_about(self, name: str) -> bool:
        return not self.only or name in self.only


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is so for all containers."""

    today: date
    gpus: Sequence[Gpu] = ()


def decide(wanted: Wanted, present: Present, said: Texts, choice: Choice, ground: Ground) -> Entry:
    """What is done with one container of the file. SAID: WANTED as `texts_of` has it."""
    entry = Entry(name=wanted.name, kind=Kind.SAME, wanted=wanted, present=present)
    if present.obstacle is not None:
        return replace(entry, problems=(present.obstacle,))
    if present.instance is None and _is_over(wanted, present, ground.today):
        return replace(entry, kind=Kind.ENDED)
    if _is_past(wanted.until, ground.today) and said["until"] != present.noted.get(labels.UNTIL):
        passed = f"until: {wanted.until} has passed; today is {ground.today}"
        return replace(entry, problems=(passed,))
    if present.instance is None or present.is_half_made:
        kind = Kind.MAKE if present.instance is None else Kind.FINISH
        make = Make(request=wanted.request, sizes=_sizes({"processes": wanted.processes}))
        return replace(entry, kind=kind, steps=(make, Note(mark=Mark(file=said))))
    if present.account != wanted.account:
        other = (
            f"its account is {present.account}, and the file says {wanted.account}: the account "
            "of a container cannot be changed"
        )
        return replace(entry, problems=(other,))
    found = tuple(_differences(said, wanted, present, choice, ground))
    return _with_steps(replace(entry, differences=found), wanted, present, said, choice)


def decide_absent(present: Present, choice: Choice) -> Entry:
    """What is done with a container that the file does not have."""
    if not choice.prune:
        return Entry(name=present.name, kind=Kind.STAYS, present=present)
    return Entry(name=present.name, kind=Kind.REMOVE, present=present, steps=(Remove(),))


def _is_over(wanted: Wanted, present: Present, today: date) -> bool:
    """Whether it was removed at the end of a time that the file does not prolong."""
    if present.home is None:
        return False
    if wanted.until is None:
        return present.has_ended
    noted = present.noted.get(labels.UNTIL)
    return _is_past(wanted.until, today) and noted == wanted.until


def _is_past(until: str | None, today: date) -> bool:
    day = read_date(until or "")
    return day is not None and day < today


def _differences(
    said: Texts, wanted: Wanted, present: Present, choice: Choice, ground: Ground
) -> Iterator[Difference]:
    has, mark = present.texts, present.mark

    def is_so(word: str, wants: str) -> bool:
        if word == "gpus" and wanted.gpus is not None:
            return is_held(wanted.gpus, present.held, ground.gpus)
        return wants == has.get(word)

    for word in FIELDS:
        wants = said.get(word)
        if wants is None or is_so(word, wants):
            continue
        outside = mark.file.get(word) == wants
        if outside and not choice.set_back and _is_kept(word, mark, has):
            continue
        left: Why | None = None
        if outside and not choice.set_back:
            left = Why.OUTSIDE
        elif word == "template" and wanted.name not in choice.replace:
            left = Why.ROOT
        yield Difference(word=word, has=has.get(word), wants=wants, outside=outside, left=left)


def _with_steps(
    entry: Entry, wanted: Wanted, present: Present, said: Texts, choice: Choice
) -> Entry:
    due = {one.word: one for one in entry.changes}
    note = _note(entry, present, said, choice)
    notes = () if note == present.mark else (Note(mark=note),)
    if "template" in due:
        steps: tuple[Step, ...] = (_replacing(wanted, present), *notes)
        return replace(entry, kind=Kind.REPLACE, steps=steps)
    if not due:
        return replace(entry, steps=notes)
    return replace(entry, kind=Kind.CHANGE, steps=(*_steps(due, wanted, present), *notes))


def _steps(due: Mapping[str, Difference], wanted: Wanted, present: Present) -> Iterator[Step]:
    sizes = _sizes({word: getattr(wanted, word) for word in LIMITS if word in due})
    if sizes is not None:
        yield Resize(sizes=sizes)
    if "gpus" in due and wanted.gpus is not None:
        fewer = not (wanted.gpus.named or wanted.gpus.everything)
        frees = fewer and wanted.gpus.count < len(present.held)
        yield GiveGpus(wish=wanted.gpus, frees=frees)
    if "shares" in due:
        has, wants = set(split(due["shares"].has or "")), set(split(due["shares"].wants))
        if has - wants:
            yield Unshare(names=tuple(sorted(has - wants)))
        if wants - has:
            yield Share(names=tuple(sorted(wants - has)))
    if "keys" in due and wanted.keys is not None:
        yield ChangeKeys(keys=wanted.keys)
    if due.keys() & {"until", "mail"}:
        yield Renew(renewal=_renewal(due, wanted))


def _renewal(due: Mapping[str, Difference], wanted: Wanted) -> Renewal:
    until = wanted.until if "until" in due else None
    return Renewal(
        until=read_date(until or ""),
        never=until == NEVER,
        mail=wanted.mail if "mail" in due else None,
    )


def _sizes(found: Mapping[str, Any]) -> Sizes | None:
    said = {word: size for word, size in found.items() if size is not None}
    return Sizes(**said) if said else None


def _replacing(wanted: Wanted, present: Present) -> Replace:
    """With what it has where the file says nothing; its home stays as it is until then."""
    said = {word: getattr(wanted, word) or _number(word, present) for word in LIMITS}
    request = replace(
        wanted,
        cpus=said["cpus"],
        memory=said["memory"],
        disk=said["disk"],
        home=None,
        keys=present.public_keys if wanted.keys is None else wanted.keys,
        until=wanted.until or present.noted.get(labels.UNTIL),
        mail=wanted.mail or present.noted.get(labels.MAIL),
        shares=split(present.texts["shares"]) if wanted.shares is None else wanted.shares,
        gpus=wanted.gpus or _as_many(present),
    ).request
    return Replace(
        request=request,
        sizes=_sizes({"processes": said["processes"], "home": wanted.home}),
    )


def _as_many(present: Present) -> GpuSelection:
    return GpuSelection(count=len(present.held))


def _number(word: str, present: Present) -> int | None:
    text = present.texts.get(word, "")
    return bytes_of(text) if word in SIZES else int(text) if text.isdecimal() else None


def _note(entry: Entry, present: Present, said: Texts, choice: Choice) -> Mark:
    """What is kept with the container once the steps are done."""
    before, has = present.mark, present.texts
    waiting = {one.word for one in entry.left if one.left is Why.ROOT}
    file = {word: text for word, text in said.items() if word not in waiting}
    file |= {word: text for word, text in before.file.items() if word in waiting}
    differing = {one.word for one in entry.differences}
    kept = {
        word: text
        for word, text in before.kept.items()
        if _is_kept(word, before, has) and word not in differing and said.get(word, text) != text
    }
    if choice.keep:
        kept |= {one.word: one.has or "" for one in entry.left if one.left is Why.OUTSIDE}
    return Mark(file=file, kept=kept)


def _is_kept(word: str, mark: Mark, has: Texts) -> bool:
    """Whether an admin chose to keep what it HAS otherwise than the file says."""
    return word in mark.kept and mark.kept[word] == has.get(word, "")
