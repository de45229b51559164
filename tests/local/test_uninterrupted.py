"""Stopping is not stopped half-way."""

from __future__ import annotations

import os
import signal

import pytest

from local.uninterrupted import uninterrupted


def test_a_second_ctrl_c_does_not_cut_the_stopping_short() -> None:
    """What was begun is finished, and afterwards Ctrl-C works again."""
    done = []
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("ended everything")

    assert done
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
