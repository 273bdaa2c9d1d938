"""Telling people: what is said, to whom, and sending it."""
