"""The study file read and checked: every mistake with file, line and key."""
