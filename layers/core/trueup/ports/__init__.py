"""What the use cases need of the outside, in the domain's words."""
