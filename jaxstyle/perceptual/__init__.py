"""Style and content: what a photo and its paintings ask of a picture at one size, for pixels and for networks."""
