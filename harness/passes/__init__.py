"""Bit-exact rewrites of a graph, in one listed order, with the verifier between every two."""
