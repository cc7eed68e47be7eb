"""From city polygons and a city-year table to a published spatial policy evaluation."""
