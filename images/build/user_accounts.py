"""Whether users can have accounts in what is built, read from its own files while it is stopped."""

from __future__ import annotations

from collections.abc import Iterator

from images.context import BuildContext
from lab.cloudinit.account import UID, Account, obstacles, people
from lab.errors import CheckError, LxdError, LxdUnreachable
from lab.instances.ssh_keys import KEYS
from lab.lxd.port import Lxd
from lab.release import Needs
from lab.settings.source import FromInstance

_PASSWD, _GROUP = "/etc/passwd", "/etc/group"


def refuse_without_room(lxd: Lxd, instance: str, template: str, needs: Needs) -> None:
    """CheckError where no account can be made in the stopped INSTANCE, to be TEMPLATE's image."""
    groups = Account(name=template, keys=(), groups=needs.groups).all_groups
    passwd, group = _read(lxd, instance, _PASSWD), _read(lxd, instance, _GROUP)
    if not group:
        return  # not one that has accounts in files
    found = obstacles(passwd, group, groups)
    if found:
        raise CheckError(
            f"{template}: no container could be provisioned from this image; users keep the old "
            "one.",
            details="\n".join(found),
            fix=f"Keep uid and gid {UID} free where the image comes from: in the source, the "
            "scripts, the packages\n(userdel --remove NAME, or usermod --uid and groupmod --gid); "
            "add packages whose groups are missing.",
        )


def tell_what_was_left(context: BuildContext, source: FromInstance, copy: str) -> None:
    """Say which accounts and keys the COPY of a container prepared by hand brings along."""
    found = tuple(_left(context.build, copy))
    if found:
        context.report.say(
            f"{source.name}, the source, brings into every image:\n"
            + "\n".join(f"  {line}" for line in found)
        )


def _left(lxd: Lxd, instance: str) -> Iterator[str]:
    for person in people(_read(lxd, instance, _PASSWD)):
        yield f"the account {person.name} (uid {person.uid})"
        for place, name in ((f"{person.home}/.ssh", "authorized_keys"), (f"{KEYS}", person.name)):
            count = _keys(_read(lxd, instance, f"{place}/{name}"))
            if count:
                yield f"ssh keys that can log in as {person.name}: {count}, in {place}"


def _keys(text: str) -> int:
    lines = (line.strip() for line in text.splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)


def _read(lxd: Lxd, instance: str, path: str) -> str:
    """Empty where there is no such file."""
    try:
        return lxd.read_file(instance, path).decode(errors="replace")
    except LxdUnreachable:
        raise
    except LxdError:
        return ""  # nothing, a directory, a link to nowhere
