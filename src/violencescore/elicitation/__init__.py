"""A panel's weights: forms that its members fill in, and what their answers say together."""
