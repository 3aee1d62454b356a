"""The pure heart: values and rules with no clock, no input or output, and the standard library only."""
