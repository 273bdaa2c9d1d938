"""What several containers have in common: `share`, `unshare`, and the shares of a new container."""
