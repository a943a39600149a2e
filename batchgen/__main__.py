"""The program's way in, for `batchgen` and `python -m batchgen`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it without a traceback."""
    try:
        from batchgen.cli.main import main as run_command_line  # noqa: PLC0415 - what is imported here can be interrupted
    except KeyboardInterrupt:
        sys.exit(130)
    run_command_line()


if __name__ == "__main__":
    main()
