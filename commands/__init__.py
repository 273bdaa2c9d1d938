"""The commands of `invoke`: parse, wire, print. Decisions and effects are in the packages below."""
