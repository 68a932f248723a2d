"""Element instances: calls create them, change them and reach their vendors through them."""
