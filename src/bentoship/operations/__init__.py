"""The verbs. Each file reads as the story of one of them; none of them prints."""
