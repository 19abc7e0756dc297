"""History through the daemon's own loop, handlers, schedule, gate and registry, with a clock that is moved.

Only adapters differ: the clock shows the day that is replayed, files come from what was known on that day,
and children are forked from a process that has their libraries loaded. Nothing else knows of a replay.
"""
