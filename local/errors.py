"""The error for every reason why the local cloud cannot start."""


class CannotStart(Exception):
    """Its message is printed for the user. It states the problem and the next step."""
