"""The ports of a rendering: who declares them, who refers to them, and who reaches whom."""
