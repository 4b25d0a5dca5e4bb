"""Code generation: a plan becomes readable C that calls the kernels of ``firmware/kernels``."""
