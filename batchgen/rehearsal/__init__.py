"""Rehearsals: models of what stands behind an API, to try the engine against without a server."""
