"""The one loop: what is due, when it may be sent, what came of it. Knows no job and no disk."""
