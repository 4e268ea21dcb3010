"""The story of a payment, from request to final."""
