"""Operators: they act on batch requests."""
