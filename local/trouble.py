"""What can keep the local cloud from starting, said in one line to the person at the terminal."""


class CannotStart(Exception):
    """Carries the whole line to print: what is wrong and what to do about it."""
