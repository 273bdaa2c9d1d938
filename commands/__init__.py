"""The commands of `invoke`: parse, wire, print. Decisions and effects live in the wings."""
