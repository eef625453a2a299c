"""What is stored: one module per Delta table, and the lake that holds them."""
