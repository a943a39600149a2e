"""The image API on this machine: checks, limits, bills and logs as the real one does, and paints its own pictures.

A product of its own: nothing here imports from the rest of batchgen, and nothing there from here: they
meet over HTTP. Only the command line registers `command.command`.
"""
