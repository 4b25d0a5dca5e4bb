"""Tests; ``tests.graphs`` and ``tests.strategies`` make the models they run on."""
