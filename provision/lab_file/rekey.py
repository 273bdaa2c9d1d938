"""Other ssh keys for a container that is there; those not asked for any more are revoked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from lab import labels
from lab.errors import LxdError, NotFound
from lab.instances.ssh_keys import DROP_IN, give_keys, sshd_lines
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.create.let_in import keys_for
from provision.homes import changes, home_place
from provision.keys.given import given, remembering
from provision.keys.public_key import PublicKey
from provision.managed import container_lock
from provision.whole import whole_container

_RELOAD: Final = ("systemctl", "try-reload-or-restart", "ssh.service")
_SECONDS: Final = 30


def change_keys(
    lxd: Lxd, settings: Settings, name: str, keys: Sequence[PublicKey], report: Report
) -> None:
    """Let the account of NAME in by KEYS, and by no other that was ever asked for.

    The home is noted first: a run that is cut off revokes no less the next time.
    """
    with container_lock(settings, name, report, f"apply {name}"):
        instance = whole_container(lxd, name)
        report.phase(name, "change its ssh keys")
        place = home_place(instance)
        home = next(
            (one for one in lxd.volumes(place[0]) if one.name == place[1]) if place else iter(()),
            None,
        )
        asked = {key.fingerprint for key in keys}
        known = given(home, instance)
        if home is not None and (noted := changes(home.config, remembering(known | asked))):
            lxd.update_volume(home.pool, home.name, noted)
        action = keys_for(name, instance.config[labels.OWNER], keys, known | asked)
        before = _drop_in(lxd, name)
        give_keys(lxd, name, action.account, [key.line for key in keys], action.revoked)
        if before != sshd_lines(revokes=bool(action.revoked)):
            _reload(lxd, instance, report)
        lxd.update(name, config=_config(instance, keys))
        report.done(name, "lets in the keys that were requested")


def _config(instance: Instance, keys: Sequence[PublicKey]) -> dict[str, str | None]:
    """So that a later `provision` finds it as requested."""
    wanted: dict[str, str | None] = {
        labels.AUTHORIZED: "\n".join(key.line for key in keys) or None,
    }
    try:
        wish = dict(json.loads(instance.config.get(labels.REQUEST, "")))
    except (ValueError, TypeError):
        return wanted
    wish["keys"] = sorted(key.fingerprint for key in keys)
    wanted[labels.REQUEST] = json.dumps(wish, sort_keys=True, separators=(",", ":"))
    return wanted


def _drop_in(lxd: Lxd, name: str) -> str:
    try:
        return lxd.read_file(name, DROP_IN).decode(errors="replace")
    except NotFound:
        return ""


def _reload(lxd: Lxd, instance: Instance, report: Report) -> None:
    """sshd reads where revoked keys are when it starts; who is logged in stays so."""
    if instance.state is not State.RUNNING:
        return
    try:
        failed = lxd.run(instance.name, _RELOAD, timeout=_SECONDS).exit_code
    except LxdError:
        failed = 1
    if failed:
        report.say(
            f"ssh in {instance.name} could not read its configuration again; keys that were "
            f"revoked may log in until: invoke restart {instance.name}"
        )
