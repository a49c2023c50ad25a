"""The loopback Azure: what the unmodified Azure SDK talks to in our tests. See README.md."""
