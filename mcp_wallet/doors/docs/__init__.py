"""The generated documents: written from the same definitions that the product runs on, so that they cannot lie."""
