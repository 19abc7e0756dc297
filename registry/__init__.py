"""The registry: versions, aliases, artifacts, evidence and the gate that judges them.

It knows nothing of the daemon and trains nothing.
"""
