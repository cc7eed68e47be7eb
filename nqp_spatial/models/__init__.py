"""Models, one file per family: specification, fit, results."""
