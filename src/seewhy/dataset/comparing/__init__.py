"""Two runs over the same photos beside each other: what changed in the answers, and in what the network looks at."""
