"""A container from another one's root: what is copied, what is not, and what is cleaned."""
