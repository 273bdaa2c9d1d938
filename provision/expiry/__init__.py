"""The end of a person's time: warned, stopped, archived, home kept, purged; and renewed."""
