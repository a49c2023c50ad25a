"""What all tests may use: the loopback Azure's fixtures. Importing them starts nothing."""

pytest_plugins = ["tests.azure.fixtures"]
