"""Removing releases that nobody needs: decided by a pure function, one reason for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from images.build_lock import build_lock
from images.releases.published import PublishedRelease, ReleaseState, published, users
from images.releases.unfinished import is_abandoned
from lab.errors import InputError
from lab.instances.removal import remove_image
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.release import BUILDER, stable_alias
from lab.report import Report
from lab.settings.settings import Settings
from lab.sizes import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneDecision:
    """What becomes of a release, and WHY."""

    of: PublishedRelease
    remove: bool
    why: str

    def __str__(self) -> str:
        word = "remove" if self.remove else "keep"
        size = format_size(self.of.image.size_bytes)
        return f"{self.of.release.template}: {word} {self.of.release.version}, {self.why} ({size})"


def parse_keep(text: str) -> int:
    """The number that `--keep TEXT` means."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
        raise InputError(f"--keep {text}: expected a whole number, 1 or more, such as --keep 3.")
    return int(text)


def plan_prune(lxd: Lxd, prefix: str, keep: int) -> tuple[PruneDecision, ...]:
    """What `prune_images` would do. Changes nothing."""
    return fates(published(lxd, prefix), _everybody(lxd), keep, lxd.now())


def prune_alone(
    lxd: Lxd, settings: Settings, keep: int, report: Report
) -> tuple[PruneDecision, ...]:
    """As `prune_images`, while nothing is built or judged."""
    with build_lock(settings, report, "prune-images"):
        return prune_images(lxd, settings.alias_prefix, keep)


def prune_images(lxd: Lxd, prefix: str, keep: int) -> tuple[PruneDecision, ...]:
    """Remove all but the newest KEEP releases of each template; what was removed."""
    gone = []
    for decision in plan_prune(lxd, prefix, keep):
        # Looked at again, since a colleague may have rolled back to it meanwhile.
        if decision.remove and not _is_current(lxd, prefix, decision.of):
            remove_image(lxd, decision.of.image.fingerprint)
            gone.append(decision)
    return tuple(gone)


def freed(removed: Iterable[PruneDecision]) -> int:
    """Bytes of the image store. What the pool unpacked of them comes on top."""
    return sum(decision.of.image.size_bytes for decision in removed if decision.remove)


def fates(
    releases: Sequence[PublishedRelease], containers: Sequence[Instance], keep: int, now: datetime
) -> tuple[PruneDecision, ...]:
    """Decide for RELEASES, newest first within each template. Pure but for the life of builders."""
    seen: Counter[str] = Counter()
    return tuple(_fate(one, users(one, containers), keep, seen, now) for one in releases)


def _fate(
    one: PublishedRelease, used_by: Sequence[str], keep: int, seen: Counter[str], now: datetime
) -> PruneDecision:
    template = one.release.template
    half_made = bool(one.image.properties.get(BUILDER)) and one.state is not ReleaseState.CURRENT
    useful = not half_made and one.state is not ReleaseState.FAILED
    seen[template] += useful
    remove, why = False, ""
    if one.state is ReleaseState.CURRENT:
        why = "it is current"
    elif half_made and not is_abandoned(one.image, now):
        why = "it is being made"
    elif used_by:
        why = f"used by {', '.join(sorted(used_by))}"
    elif useful and seen[template] <= keep:
        why = "one of the newest" if keep > 1 else "the newest"
    else:
        remove, why = True, "abandoned" if half_made else one.state.value
    return PruneDecision(of=one, remove=remove, why=why)


def _everybody(lxd: Lxd) -> tuple[Instance, ...]:
    """The instances of all projects: others may take their images from ours."""
    return tuple(chain.from_iterable(lxd.in_project(name).instances() for name in lxd.projects()))


def _is_current(lxd: Lxd, prefix: str, one: PublishedRelease) -> bool:
    current = lxd.aliases().get(stable_alias(prefix, one.release.template))
    return current == one.image.fingerprint
