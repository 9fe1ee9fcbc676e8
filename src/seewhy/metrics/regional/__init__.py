"""Where the evidence of many photos lies: its share in regions of the frame, and regions where it piles up."""
