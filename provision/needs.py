"""What the release that a container was made from needs, also when its image is gone."""

from __future__ import annotations

from lab.lxd.model import Image, Instance
from lab.release import Needs, Release


def needs_of(instance: Instance) -> Needs:
    """LXD keeps an image's properties as `image.*` on what is made from it."""
    copied = {
        key.removeprefix("image."): value
        for key, value in instance.config.items()
        if key.startswith("image.")
    }
    release = Release.of(Image(fingerprint="", properties=copied, created_at=instance.created_at))
    return release.needs if release else Needs()
