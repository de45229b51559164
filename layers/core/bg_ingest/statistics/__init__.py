"""Glucose statistics and the glucose profile, from columns of readings."""
