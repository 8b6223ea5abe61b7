"""An app that knows the service by its decorators only."""

MAX_AGE = 60  # seconds: how fresh a login has to be for money to move
