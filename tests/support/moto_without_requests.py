"""Starts moto for botocore only."""

from moto.core.models import RESPONSES_METHODS


def answer_botocore_only() -> None:
    """
    Leave out moto's answers to the library `requests`, which nothing here calls AWS with.

    Moto makes two thousand objects for them at each start, in a quarter of the tests.
    """
    RESPONSES_METHODS.clear()
