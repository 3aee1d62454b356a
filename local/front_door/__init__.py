"""The system of template.yaml on one machine: what `trueup serve` runs."""

from local.front_door.serving import running_system, serve

__all__ = ["running_system", "serve"]
