"""Programs that run inside containers, by Python alone: they import nothing of ours."""
