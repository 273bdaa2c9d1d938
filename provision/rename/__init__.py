"""`rename`: another name for a container, and for all that belongs to it."""
