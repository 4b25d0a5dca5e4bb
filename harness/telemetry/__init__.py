"""The wire between host and board, as PROTOCOL.md specifies it: frames, messages, a session."""
