"""End-to-end tests of the deployed template on the emulated AWS."""
