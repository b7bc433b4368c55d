"""Charts with other values than their own, rendered by the real helm."""
