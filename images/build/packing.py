"""Packing an image where it is made: LXD packs one at a time, on one core, and all of it each time.

What comes of it is what LXD would make, `metadata.yaml`, `templates/` and `rootfs/` in one tarball
(https://documentation.ubuntu.com/lxd/en/latest/reference/image_format/), in three pieces: a head,
the body, which stays packed as long as it is the same, and the rest, which is what a release has
beside its body. A zstd file may consist of several (RFC 8878, section 3), and of two entries of a
tarball with one name the later one counts.
"""

from __future__ import annotations

from images.build.scripts import try_script
from images.context import BuildContext, Log
from lab.settings.settings import Settings

_PLACE = "/var/cache/labstamp-pack"
PACKED = (f"{_PLACE}/head.tar.zst", f"{_PLACE}/body.tar.zst", f"{_PLACE}/rest.tar.zst")
"""The pieces of an image, in a builder that goes away with them."""


def packs_inside(settings: Settings) -> bool:
    """Whether builders are to pack: they know the one way that is fast.

    From a remote LXD the image would travel here and back; there LXD packs.
    """
    return settings.compression == "zstd" and settings.is_local


def pack_body(context: BuildContext, builder: str, log: Log) -> None:
    """Pack the running, clean BUILDER, for the releases made of clones of it."""
    log.phase("pack")
    _pack(context, builder, "body", log)


def pack_release(context: BuildContext, builder: str, log: Log) -> bool:
    """Pack the running, clean BUILDER into PACKED. False where only LXD can; the log says why."""
    log.phase("pack")
    for name, content in context.build.image_parts(builder).items():
        context.build.write_file(builder, f"{_PLACE}/head/{name}", content)
    done = _pack(context, builder, "release", log)
    if not done:
        log.write("LXD packs the image instead.\n")
    return done


def _pack(context: BuildContext, builder: str, what: str, log: Log) -> bool:
    return try_script(context, builder, "pack.sh", log, what).exit_code == 0
