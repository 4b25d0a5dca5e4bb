"""Comparison: what two sets of figures say of each other, and whether a change is real."""
