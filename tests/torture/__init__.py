"""Real server processes on a real chain behind a failing node, killed again and again."""
