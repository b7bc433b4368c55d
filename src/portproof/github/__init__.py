"""GitHub's side of a pull request: read it, publish a review of it. The only package that imports PyGithub."""
