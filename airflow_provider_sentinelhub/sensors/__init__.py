"""Sensors: they look at batch requests and their deliveries."""
