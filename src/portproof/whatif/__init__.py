"""A chart is a function of its values: what becomes of its ports when parts are switched on, and when ports move."""
