"""`upgrade`: a container gets a new root from another release; all that is its user's stays."""
