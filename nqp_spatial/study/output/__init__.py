"""What a run writes: tables, plots, maps, records, and the words of both languages."""
