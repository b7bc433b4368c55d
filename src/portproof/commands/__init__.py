"""What each command does after its words are read: what it prints and writes, and its exit code."""
