"""What an output folder has come to, read only."""
