"""Trueup: keeps what Mimecast bills, what is licensed and what the PSA bills equal for every client of an MSP."""
