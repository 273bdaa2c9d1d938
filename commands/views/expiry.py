"""The end of people's time as rows and lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from provision.expiring import until_value
from provision.expiry.machine import Step
from provision.expiry.renew import Renewed
from provision.expiry.run import Row

COLUMNS = ("name", "until", "state", "tonight", "next", "why")
NOBODY = "Nobody has an end date. Give one: invoke renew NAME --until DATE"
_STEPS = {
    Step.WARN: "warn",
    Step.STOP: "stop",
    Step.ARCHIVE: "archive",
    Step.REMOVE_ROOT: "remove the container, keep the home",
    Step.ANNOUNCE: "announce the removal of the home",
    Step.PURGE: "remove the home",
    Step.RECOUNT: "count its days again",
}


def row(one: Row) -> tuple[str, ...]:
    step, day = one.next.step, one.next.day
    words = _STEPS[step] if step else "-"
    state = f"{one.mark.state.value} {one.mark.since}" if one.mark else "active"
    later = f"{words} on {day}" if step and not one.due else "-"
    return (
        one.name,
        until_value(one.until),
        state,
        f"{words}{_outcome(one)}" if one.due else "-",
        later,
        one.error.brief if one.error else one.next.why,
    )


def _outcome(one: Row) -> str:
    if one.error is not None:
        return ": failed"
    return ": done" if one.done else ""


def of_renewed(name: str, renewed: Renewed) -> Iterator[str]:
    until = "without an end" if renewed.until is None else f"until {renewed.until}"
    yield f"{name}: {until}"
    if renewed.frozen:
        yield f"{name}: frozen until {renewed.frozen.partition('/')[2]}"
    if renewed.brought_back:
        yield f"{name}: the container was made again, with its earlier home."
        if renewed.backup:
            yield (
                f"What was installed outside the home is in the backup {renewed.backup}: "
                f"invoke restore-backup {name}"
            )
    elif renewed.started:
        yield f"{name}: started."
    if renewed.password is not None:
        yield f"password: {renewed.password}  (shown this once)"
    if renewed.lacks_gpus:
        yield (
            f"{name} has no GPU, {renewed.lacks_gpus} before. To give some: "
            f"invoke provision {name} --gpus {renewed.lacks_gpus}"
        )
