"""What the descriptions of deployments in a repository say: Argo CD, Flux, helmfile, Skaffold, Terraform, chart-testing."""
