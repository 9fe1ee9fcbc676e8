"""What wrong answers of a run have in common, and which right ones are right for a wrong reason: numbers and words, no page."""
