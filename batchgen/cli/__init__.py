"""The command line, one file a command: the one place that prints and that turns exceptions into exit codes."""
