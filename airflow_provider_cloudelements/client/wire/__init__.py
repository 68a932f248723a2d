"""Send a call, repeat it if that is safe, turn its failure into our error, and hide its secrets."""
