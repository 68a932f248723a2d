"""Turn events of vendors on, sign their notifications, and read events without loss."""
