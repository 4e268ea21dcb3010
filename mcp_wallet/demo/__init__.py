"""The demo: the main job told as a story, on a real chain, through the real server."""
