"""Where raw videos come from: folders, lists, manifests, addresses; and what a worker does with each of them."""
