"""Random passwords that can be read aloud and typed, and never stay anywhere."""

from __future__ import annotations

import secrets

# No i, l, o, 0, 1: they are taken for one another. 31 signs, 4.95 bits each.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _LENGTH = 5, 4  # 99 bits


def new_password() -> str:
    """`x7kq-…`: five groups of four."""
    return "-".join("".join(secrets.choice(_SIGNS) for _ in range(_LENGTH)) for _ in range(_GROUPS))
