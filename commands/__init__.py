"""The commands of `invoke`: parse, wire, print. Decisions and effects live in images, provision and host."""
