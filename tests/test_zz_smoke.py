from __future__ import annotations
from tests.action_support import *
def test_x(tmp_path, capsys):
    with FakeGitHub() as fake:
        world = World(fake, tmp_path, capsys)
        world.open(below("app", files_of("incident/repaired")), below("app", files_of("incident/broken")))
        ran = world.run(writing(fake))
        print(ran.code, ran.outputs); print(ran.stdout); print(ran.stderr); print(ran.summary[:3000])
        for r in world.pull.reviews.values(): print("REVIEW", r.body)
        for c in fake.comments(world.pull): print("COMMENT", c.anchor.path, c.anchor.line); print(c.body)
        for s in fake.log: print(s.method, s.path, s.query, s.status)
        ran = world.run(writing(fake))
        print(ran.stdout)
        for s in fake.log.writes: print(s.method, s.path, s.query, s.status)
