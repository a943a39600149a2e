"""`python -m batchgen.sandbox`: the same command as `batchgen sandbox`."""

from batchgen.sandbox.command import command

if __name__ == "__main__":
    command(prog_name="python -m batchgen.sandbox")
