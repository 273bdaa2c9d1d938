"""Whether builders can have a bridge of their own, which users' containers do not reach. Pure."""

from __future__ import annotations

from lab.lxd.model import Network, Server


def can_be_apart(users: Network, server: Server) -> bool:
    """Whether host.setup makes builders a bridge of their own beside USERS'."""
    is_ours = users.managed and users.type == "bridge" and users.config.get("ipv4.nat") == "true"
    return is_ours and server.has("network_bridge_acl")
