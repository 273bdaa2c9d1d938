"""The gateway to LXD: `model` (values), `port` (verbs), `client` (the real thing)."""
