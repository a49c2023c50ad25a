"""What `ctrain doctor` looks at on Azure ML, a kind of thing a file. Everything here reads only."""
