"""The port map: who calls which port of what, where each number is written, and how to find out at night.

`survey` reads it from the renderings, `cards` puts the same Service of several environments together, `blocks` keeps
marked blocks of Markdown files true; the writers are pure functions.
"""
