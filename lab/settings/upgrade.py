"""`upgrade:` in lab.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from lab.yaml.model import StrictModel, value_error


def _days(value: int) -> int:
    if not 1 <= value <= 3650:
        raise value_error("must be a number of days, 1 to 3650")
    return value


class UpgradeSettings(StrictModel):
    """How long the way back of an upgrade is kept."""

    keep_days: Annotated[int, AfterValidator(_days)] = 14
    """Afterwards `upgrade` removes the kept root."""
