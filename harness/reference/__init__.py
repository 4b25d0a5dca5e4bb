"""What a model must compute, to the bit: TensorFlow Lite Micro's reference kernels in numpy.

One module for each family of ops; ``interpreter`` runs a graph. This is the oracle that every
measurement is checked against, so it is written for clarity first. It is fast enough all the
same: 300 million MACs take a few seconds.
"""
