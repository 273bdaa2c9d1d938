"""The cloud-config of a user's container: the account and its keys, nothing of the template."""

from __future__ import annotations

from lab.cloudinit.account import Account, account_text
from lab.release import Release
from lab.settings.settings import Settings
from provision.create.request import Request


def user_data(request: Request, release: Release, settings: Settings) -> str:
    account = Account(
        name=request.account,
        keys=tuple(key.line for key in request.keys),
        groups=release.needs.groups,
        locked=not request.wants_password,
    )
    return account_text(account, settings.cloud_init)
