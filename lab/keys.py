"""The keys labstamp writes on LXD's objects: its only memory."""

from __future__ import annotations

from typing import Final

TEMPLATE: Final = "user.lab.template"
"""On bodies and containers: the template's full name."""
VERSION: Final = "user.lab.version"
"""On containers: the version of the release it was stamped from."""
OWNER: Final = "user.lab.owner"
"""On containers: the account it was made for. Its presence marks a container as ours."""
REQUEST: Final = "user.lab.request"
"""On containers: what was asked for, as canonical JSON, to tell a second run from a new wish."""
RECIPE: Final = "user.lab.recipe"
INPUTS: Final = "user.lab.inputs"
"""On bodies: recipe id and the hashes of what it was computed from."""
PACKAGES: Final = "image.lab.packages"
"""What LXD copies from a release onto each instance of it; long, and of no use there."""
PHASE: Final = "user.lab.phase"
"""`preparing` while being made, `ready` afterwards."""
BUILDER: Final = "user.lab.builder"
"""Who prepares it: `HOST PID STARTTIME`, to recognise what a crash left."""
PREPARING: Final = "preparing"
READY: Final = "ready"
FAILED: Final = "failed"
"""Kept for a look, by `--keep-failed`."""
