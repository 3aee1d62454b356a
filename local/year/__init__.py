"""A year of months on simulated vendors, with faults: `trueup simulate`. What they come to is proven at the end."""
