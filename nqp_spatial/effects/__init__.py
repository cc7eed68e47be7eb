"""Direct, indirect and total effects: average, by entity, by order, over time, in scenarios."""
