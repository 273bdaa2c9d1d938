"""The user and password of a proxy or mirror: in builders while apt needs them, in no image."""

from __future__ import annotations

from images.context import Workshop
from lab.machine.apt_auth import FILE, auth_conf


def auth_conf_of(shop: Workshop) -> str:
    """What apt has to know; empty where nothing has a user."""
    return auth_conf((shop.settings.proxy, shop.mirrors.main, shop.mirrors.security))


def give_login(shop: Workshop, builder: str) -> None:
    """Have BUILDER's apt know it. Not by its cloud-config, which LXD keeps and recipes hash."""
    if text := auth_conf_of(shop):
        shop.build.write_file(builder, FILE, text.encode(), mode=0o600)


def take_login(shop: Workshop, builder: str) -> None:
    """Before BUILDER is packed; also what a builder of another day left, whatever is set now."""
    shop.build.delete_file(builder, FILE)
