"""Snapshots of a person: root and home as one pair, by one name."""
