"""Cycles estimated from a manual's timings, for the instructions that an image executes.

An estimate is not a measurement: it stands beside instructions, under its own name, with the table
that it was made from.
"""
