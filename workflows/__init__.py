"""Flows: which jobs, in which order, joined by which references."""
