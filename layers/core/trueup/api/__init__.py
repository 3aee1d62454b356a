"""The HTTP API: routes that check input, call one use case and show one result."""
