"""The command line: options in, one library call, a table or one JSON object out.

Modules here import what they need inside the commands, so that ``bench --help`` answers at once.
"""
