"""What operators share and no DAG imports."""
