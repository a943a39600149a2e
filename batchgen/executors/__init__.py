"""Where attempts happen: in this process today."""
