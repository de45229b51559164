"""Long faults and their effect on all users; tests/simulation covers short faults and one user."""
