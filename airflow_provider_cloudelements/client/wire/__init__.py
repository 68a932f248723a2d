"""How a call goes out and comes back: sent again where that is safe, its errors ours, its secrets hidden."""
