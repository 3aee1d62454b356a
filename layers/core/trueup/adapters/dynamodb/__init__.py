"""State on one DynamoDB table; ``state.open_state`` is the door."""
