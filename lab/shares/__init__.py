"""Shares as containers have them: their devices, and which directories of the server may be one."""
