"""The science of regimed: pure functions of bars, settings and a random generator.

Nothing here reads a clock, a file or an environment variable, starts a thread or writes a log;
the same input gives the same output, to the byte.
"""
