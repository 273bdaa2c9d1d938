"""Where labstamp's own files are: in a checkout, or beside its packages where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CLOUD_INIT: Final = ROOT / "cloud-init"
