"""The lab: which boards hang on this desk, how each is reached, and who uses it now."""
