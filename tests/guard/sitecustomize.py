"""Python imports this when it starts with this folder on PYTHONPATH, as every child of a test does."""

import loopback_only

loopback_only.install()
