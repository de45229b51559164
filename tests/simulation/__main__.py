"""Run seeds from the command line: python -m tests.simulation FIRST [LAST]."""

import sys

from tests.simulation.test_simulation import run_noted

first = int(sys.argv[1])
for seed in range(first, int(sys.argv[2]) + 1 if len(sys.argv) > 2 else first + 1):
    run_noted(seed)
