"""What people write after `--gpus`: `all`, `none`, a count, or which GPUs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lab.errors import InputError
from lab.hardware.pci import canonical_uuid, pci_address
from lab.names import quote

_COUNT: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_INDEX: Final = re.compile(r"idx:([0-9]{1,4})", re.ASCII | re.IGNORECASE)

_FORMS: Final = """
--gpus 1                    the least used GPU, or so many
--gpus all · --gpus none
--gpus 0000:b1:00.0         this GPU, by its PCI address
--gpus idx:0,idx:3          these, by the numbers that nvidia-smi shows
--gpus GPU-5d5ba0d6-…       by UUID, whole and from `nvidia-smi -L`; MIG-… for a part of a GPU
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSelection:
    """At most one of the three is set; nothing set wants no GPU."""

    everything: bool = False
    count: int = 0
    named: tuple[str, ...] = ()
    """PCI addresses, `GPU-…`, `MIG-…` and `idx:N`, in one spelling each."""

    @property
    def is_none(self) -> bool:
        return self == GpuSelection()

    def __str__(self) -> str:
        """What `parse_selection` makes the same wish of."""
        if self.everything:
            return "all"
        return ",".join(self.named) or (str(self.count) if self.count else "none")


def parse_selection(text: str) -> GpuSelection:
    """The wish that TEXT is; InputError when it is none."""
    plain = text.strip()
    match plain.lower():
        case "all":
            return GpuSelection(everything=True)
        case "none":
            return GpuSelection()
    if _COUNT.fullmatch(plain):
        return GpuSelection(count=int(plain))
    parts = [part.strip() for part in plain.split(",")]
    if "" in parts:
        raise _refused("", text)
    named = (_named(part, text) for part in parts)
    return GpuSelection(named=tuple(dict.fromkeys(named)))


def _named(part: str, whole: str) -> str:
    if index := _INDEX.fullmatch(part):
        return f"idx:{int(index[1])}"
    known = pci_address(part) or canonical_uuid(part)
    if known is None:
        raise _refused(part, whole)
    return known


def _refused(part: str, whole: str) -> InputError:
    if not part:
        reason = "an entry is empty" if whole.strip() else "it is empty"
    elif _COUNT.fullmatch(part):
        reason = (
            "a count cannot be combined with other entries; "
            f"the GPU with that number is idx:{int(part)}"
        )
    elif part.lower() in {"all", "none"}:
        reason = f'"{part.lower()}" cannot be combined with other entries'
    else:
        reason = f"{quote(part)} is neither a PCI address nor a UUID nor idx:N"
    return InputError(f"Invalid --gpus {quote(whole)}: {reason}.", fix=_FORMS)
