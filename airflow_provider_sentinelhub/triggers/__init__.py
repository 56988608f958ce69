"""Triggers: they wait, and do nothing else."""
