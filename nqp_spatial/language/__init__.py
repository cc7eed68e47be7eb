"""Words that are printed, in English and Chinese."""
