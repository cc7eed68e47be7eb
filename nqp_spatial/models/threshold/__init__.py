"""Panel threshold regression."""
