"""`resize`: other limits and quotas for a container that is there."""
