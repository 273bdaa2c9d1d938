"""What lab.yaml says of GPUs: `gpus:`."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, InstanceOf, PlainSerializer, model_validator

from lab.gpu_selection import GpuSelection, parse_selection
from lab.yaml.model import StrictModel, value_error

_CHOICE: Final = re.compile(r"all|none|[0-9]{1,4}", re.ASCII)


def _choice(value: object) -> GpuSelection:
    if isinstance(value, GpuSelection):
        return value
    # A count is a number in YAML, the rest are words.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _CHOICE.fullmatch(text):
        raise value_error("must be a count, all or none")
    return parse_selection(text)


def _at_least_one(value: int) -> int:
    if value < 1:
        raise value_error("must be 1 or more")
    return value


class GpuSettings(StrictModel):
    """Who gets which of NVIDIA's GPUs."""

    default: Annotated[InstanceOf[GpuSelection], BeforeValidator(_choice), PlainSerializer(str)] = (
        GpuSelection(count=1)
    )
    """What a container gets without `--gpus`: a count, all or none."""
    policy: Literal["shared", "exclusive"] = "shared"
    max_users_per_card: Annotated[int, AfterValidator(_at_least_one)] | None = None
    """None: no limit but the policy's."""

    @property
    def limit(self) -> int | None:
        """How many containers may hold one GPU."""
        return 1 if self.policy == "exclusive" else self.max_users_per_card

    @model_validator(mode="after")
    def _agree(self) -> GpuSettings:
        if self.policy == "exclusive" and (self.max_users_per_card or 1) > 1:
            raise value_error("max-users-per-card must be 1 where policy is exclusive; remove it")
        return self
