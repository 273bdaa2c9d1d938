"""Backups of people: root, home and wish as one, proven by restoring them."""
