"""What vendors tell: switched on, signed, and read without loss."""
