"""Trueup on one machine: the front door, the embedded parts and the simulators. Nothing here is deployed."""
