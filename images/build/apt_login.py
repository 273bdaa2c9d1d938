"""The user and password of a proxy or mirror: in builders while apt needs them, in no image."""

from __future__ import annotations

from images.context import BuildContext
from lab.machine.apt_auth import FILE, auth_conf


def auth_conf_of(context: BuildContext) -> str:
    """What apt has to know; empty where nothing has a user."""
    return auth_conf((context.settings.proxy, context.mirrors.main, context.mirrors.security))


def give_login(context: BuildContext, builder: str) -> None:
    """Have BUILDER's apt know it. Not by its cloud-config, which LXD keeps and recipes hash."""
    if text := auth_conf_of(context):
        context.build.write_file(builder, FILE, text.encode(), mode=0o600)


def take_login(context: BuildContext, builder: str) -> None:
    """Before BUILDER is packed; also a login that an earlier builder left, with any settings."""
    context.build.delete_file(builder, FILE)
