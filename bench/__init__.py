"""What the deeds of the product cost, as ratios to what the machine can do at best, measured in the same run."""
