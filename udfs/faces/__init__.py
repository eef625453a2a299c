"""Finding and describing faces: one interface, two back ends."""
