"""The cloud-config of a user's container: the account and its keys, nothing of the template."""

from __future__ import annotations

from pathlib import Path

from lab.cloudinit import render
from lab.release import Release
from lab.settings import Settings
from provision.request import Request

_TEMPLATE = "container.yaml.j2"
_OWN = Path(__file__).resolve().parent.parent / "cloud-init"

# The account is always this one, so that a kept home fits the next container.
UID = 1000


def user_data(request: Request, release: Release, settings: Settings) -> str:
    directory = settings.cloud_init or _OWN
    values = {
        "account": request.account,
        "uid": UID,
        "gid": str(UID),
        "groups": ["sudo", *(group for group in release.needs.groups if group != "sudo")],
        "keys": list(request.keys),
        "lock_password": not request.wants_password,
    }
    return render(_TEMPLATE, directory, values)
