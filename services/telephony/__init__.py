"""Calls: what a telephone exchange tells, made into one record for each call."""
