"""Style and content targets: what a photo and its paintings ask of a picture at one size."""
