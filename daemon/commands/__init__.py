"""The commands of the command line, one file a story; daemon.cli imports one only when it is called."""
