"""The page of a person: HTML and SVG, from the same values that the API answers."""
