"""Measure what a quantized neural network costs on a microcontroller.

The package is one line of pure functions over a few frozen types::

    bytes -> Graph -> Plan -> Sources -> Firmware -> Capture -> Record -> Report

Each arrow is a subpackage; ARCHITECTURE.md tells which.
"""

__version__ = "0.1.0"
