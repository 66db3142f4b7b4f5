"""Stand-ins for programs that cannot be had, or cannot work, without the network: Trivy, and Semgrep's public rules."""
