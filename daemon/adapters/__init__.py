"""Adapters: one file a thing of the outside world, each behind a port of daemon.ports."""
