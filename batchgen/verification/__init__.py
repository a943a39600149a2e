"""An output folder looked through, byte by byte, and set right at no cost."""
