"""What is on disk: pictures and their sidecars, written so that each crash point has one meaning."""
